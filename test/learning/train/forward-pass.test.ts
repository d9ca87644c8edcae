import { describe, expect, it, vi } from 'vitest'
import { type EncodedExample, encodeExample, packExamples } from '#learning/data'
import { ForwardPass } from '#learning/train'
import { forward } from '../models/forward.ts'
import { randomModel } from '../models/random-model.ts'
import { bpe, COLOUR_EXAMPLES, executor, tinyConfig } from './toy-models.ts'

// Seconds alone on a machine; compiling is slow beside other work.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const SHAPE = { batch: 4, length: 64, rows: 96, examples: 10 }
const TOP_K = 5
const TEMPERATURE = 2

const { model, weights } = randomModel(tinyConfig(bpe.vocabularySize), 'teacher')
const trainee = { model, weights, base: 'frozen', adapters: [] } as const
const encoded = COLOUR_EXAMPLES.map((example) => encodeExample(bpe, example, { maxLength: 48 }))
const [batch] = packExamples(encoded, SHAPE)

/** The logits that predict each token of the answer, of the example alone. */
async function answerLogits({ tokens, answerStart }: EncodedExample): Promise<Float32Array[]> {
  const [rows] = await forward({ model, weights, tokens: [Array.from(tokens.slice(0, -1))] })
  return rows!.slice(answerStart - 1)
}

function softmax(logits: Float32Array, temperature = 1): Float64Array {
  const largest = Math.max(...logits)
  const powers = Float64Array.from(logits, (x) => Math.exp((x - largest) / temperature))
  const total = powers.reduce((a, b) => a + b)
  return powers.map((x) => x / total)
}

describe('ForwardPass', () => {
  it('adds up the nats of each answer, and gives the most probable tokens of each row', async () => {
    const teacher = { topK: TOP_K, temperature: TEMPERATURE }
    const pass = await ForwardPass.create({ trainee, executor, shape: SHAPE, teacher })
    const said = await pass.run(batch!)
    for (const [slot, example] of batch!.encoded.entries()) {
      const rows = await answerLogits(example)
      const targets = example.tokens.slice(example.answerStart)
      expect(rows.length).toBe(targets.length)
      const nats = rows.reduce((sum, row, i) => sum - Math.log(softmax(row)[targets[i]!]!), 0)
      expect(said.exampleNats[slot]).toBeCloseTo(nats, 3)
      for (const [i, row] of rows.entries()) {
        const at = (batch!.firstRow[slot]! + i) * TOP_K
        const expected = Array.from(softmax(row, TEMPERATURE).entries())
          .sort(([, p], [, q]) => q - p)
          .slice(0, TOP_K)
        expect(Array.from(said.topTokens.slice(at, at + TOP_K))).toEqual(
          expected.map(([token]) => token),
        )
        for (const [k, [, p]] of expected.entries())
          expect(said.topProbabilities[at + k]).toBeCloseTo(p, 4)
      }
    }
    for (let slot = batch!.encoded.length; slot < SHAPE.examples; slot++)
      expect(said.exampleNats[slot]).toBe(0)
    await pass.close()
  })

  it('says nothing of tokens unless it is to teach', async () => {
    const pass = await ForwardPass.create({ trainee, executor, shape: SHAPE })
    const { topTokens, topProbabilities } = await pass.run(batch!)
    expect([topTokens.length, topProbabilities.length]).toEqual([0, 0])
    await pass.close()
  })

  it('reads with the parameters it was given last', async () => {
    const live = await ForwardPass.create({
      trainee: { ...trainee, base: 'live' },
      executor,
      shape: SHAPE,
    })
    const frozen = await ForwardPass.create({ trainee, executor, shape: SHAPE })
    const other = randomModel(tinyConfig(bpe.vocabularySize), 'another').weights
    await live.write(other)
    const before = await live.run(batch!)
    await live.write(weights)
    const after = await live.run(batch!)
    const expected = await frozen.run(batch!)
    for (const slot of batch!.encoded.keys()) {
      expect(after.exampleNats[slot]).toBeCloseTo(expected.exampleNats[slot]!, 3)
      expect(before.exampleNats[slot]).not.toBeCloseTo(expected.exampleNats[slot]!, 1)
    }
    await live.close()
    await frozen.close()
  })
})
