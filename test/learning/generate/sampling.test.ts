import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  checkSampling,
  createSampler,
  distribution,
  penalise,
  type Sampling,
} from '../../../learning/generate/sampling.ts'

/** By the book: softmax of everything, sorted whole, cut, softmax again. Token id to probability. */
function slowTwin(logits: readonly number[], { temperature = 1, topK, topP = 1 }: Sampling) {
  const exps = logits.map((logit) => Math.exp(logit / temperature))
  const share = (ids: readonly number[]) => {
    const sum = ids.reduce((total, id) => total + exps[id]!, 0)
    return new Map(ids.map((id) => [id, exps[id]! / sum]))
  }
  const sorted = logits.map((_, id) => id).sort((a, b) => logits[b]! - logits[a]! || a - b)
  const best = share(sorted.slice(0, topK ?? logits.length))
  const nucleus: number[] = []
  let reached = 0
  for (const [id, probability] of best) {
    if (nucleus.length > 0 && topP < 1 && reached >= topP) break
    nucleus.push(id)
    reached += probability
  }
  return share(nucleus)
}

const logitsOf = fc.array(fc.integer({ min: -400, max: 400 }), { minLength: 2, maxLength: 60 })
const settings = fc.record({
  temperature: fc.constantFrom(0.3, 1, 2.5),
  topK: fc.option(fc.integer({ min: 1, max: 70 }), { nil: undefined }),
  topP: fc.constantFrom(0.0513, 0.5171, 0.9123, 0.9991, 1),
})

describe('distribution', () => {
  it('is that of sorting everything', () => {
    fc.assert(
      fc.property(logitsOf, settings, (tenths, { topK, ...rest }) => {
        const logits = Float32Array.from(tenths, (x) => x / 10)
        const sampling = topK === undefined ? rest : { ...rest, topK }
        const expected = slowTwin([...logits], sampling)
        const { ids, probabilities } = distribution(logits, sampling)
        const found = new Map(Array.from(ids, (id, i) => [id, probabilities[i]!]))
        for (const [id, probability] of expected)
          expect(found.get(id) ?? 0).toBeCloseTo(probability, 9)
        for (const id of found.keys()) expect(expected.has(id)).toBe(true)
      }),
      { seed: 7, numRuns: 300 },
    )
  })
})

describe('a sampler', () => {
  const logits = () => Float32Array.of(0.5, 2, -1, 1.5, 0, 3)

  it('draws tokens as often as they are probable', () => {
    const sampling = { temperature: 1.3, topK: 5, topP: 0.95, seed: 3 }
    const sample = createSampler(sampling, 0)
    const draws = 20_000
    const counts = new Map<number, number>()
    for (let i = 0; i < draws; i++) {
      const id = sample(logits(), [])
      counts.set(id, (counts.get(id) ?? 0) + 1)
    }
    const expected = slowTwin([...logits()], sampling)
    expect([...counts.keys()].sort()).toEqual([...expected.keys()].sort())
    for (const [id, probability] of expected) {
      const deviation = Math.sqrt(draws * probability * (1 - probability))
      expect(Math.abs(counts.get(id)! - draws * probability)).toBeLessThan(4.5 * deviation)
    }
  })

  it('draws the same with the same seed, another row or seed other tokens', () => {
    const draws = (seed: number, row: number) => {
      const sample = createSampler({ temperature: 2, seed }, row)
      return Array.from({ length: 40 }, () => sample(logits(), []))
    }
    expect(draws(1, 0)).toEqual(draws(1, 0))
    expect(draws(1, 1)).not.toEqual(draws(1, 0))
    expect(draws(2, 0)).not.toEqual(draws(1, 0))
  })

  it('makes tokens that were said less probable, whatever the sign of their logit', () => {
    const penalised = logits()
    penalise(penalised, [5, 2, 5], 2)
    expect([...penalised]).toEqual([0.5, 2, -2, 1.5, 0, 1.5])
    const sample = createSampler({ repetitionPenalty: 2 }, 0)
    expect(sample(logits(), [])).toBe(5)
    expect(sample(logits(), [5])).toBe(1)
  })
})

it.each([
  [{ temperature: -1 }],
  [{ temperature: Number.NaN }],
  [{ topK: 0 }],
  [{ topK: 1.5 }],
  [{ topP: 0 }],
  [{ topP: 1.1 }],
  [{ repetitionPenalty: 0 }],
])('refuses %j', (sampling) => {
  expect(() => checkSampling(sampling)).toThrow(
    expect.objectContaining({ code: 'GENERATE_SAMPLING_INVALID' }),
  )
})
