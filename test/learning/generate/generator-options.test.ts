import { describe, expect, it } from 'vitest'
import { createRandom } from '#base'
import { createExecutor, quantise, type Tensor, type WeightValue } from '#engine'
import { Generator, type GeneratorInit, type Sampling } from '#learning/generate'
import { createAdapter } from '#learning/lora'
import { frozenScope } from '#learning/models'
import { forward } from '../models/forward.ts'
import { randomModel } from '../models/random-model.ts'
import { TINY } from '../models/tiny-models.ts'
import { numberTokenizer } from './number-tokenizer.ts'

const executor = createExecutor('onnxruntime', { threads: 1 })
const PROMPTS = ['3', '5 9 1 14 2 7', '8 1', '1 2 3 4 5 6 7 8', '11', '2 2']
const { model, weights } = randomModel(TINY.llama, 'generate llama')
const tokenizer = numberTokenizer(23, -1)
const checkpoint = { model, weights, tokenizer }

const mostProbable = (logits: Float32Array) => logits.indexOf(Math.max(...logits))

async function open(init: Partial<GeneratorInit> = {}): Promise<Generator> {
  const sizes = { batch: 3, maxPrompt: 12, maxNew: 8 }
  return Generator.create({ checkpoint, executor, stopIds: [], ...sizes, ...init })
}

async function using<T>(
  init: Partial<GeneratorInit>,
  use: (generator: Generator) => Promise<T>,
): Promise<T> {
  const generator = await open(init)
  try {
    return await use(generator)
  } finally {
    await generator.close()
  }
}

describe('sampling', () => {
  const sampling: Sampling = { temperature: 1.5, topK: 12, topP: 0.95, seed: 4 }

  it('gives the same answers for a seed, however many rows share a batch', async () => {
    const answers = (batch: number, seed: number) =>
      using({ batch }, (generator) =>
        generator.generate(PROMPTS, { sampling: { ...sampling, seed } }),
      )
    const expected = await answers(6, 4)
    expect(await answers(1, 4)).toEqual(expected)
    expect(await answers(4, 4)).toEqual(expected)
    expect(await answers(6, 5)).not.toEqual(expected)
  })

  it('may differ from row to row', async () => {
    await using({}, async (generator) => {
      const greedy = await generator.generate(PROMPTS)
      const mixed = await generator.generate(PROMPTS, {
        sampling: PROMPTS.map((_, i) => (i % 2 === 0 ? {} : sampling)),
      })
      for (const [i, answer] of mixed.entries()) if (i % 2 === 0) expect(answer).toBe(greedy[i])
      expect(mixed).not.toEqual(greedy)
    })
  })

  it('never says again what a penalty forbids', async () => {
    await using({}, async (generator) => {
      const [answer] = await generator.generate(['5'], { sampling: { repetitionPenalty: 1e9 } })
      const said = ['5', ...answer!.trim().split(/\s+/)]
      expect(new Set(said).size).toBe(said.length)
    })
  })

  it('is refused outside its range, before anything is decoded', async () => {
    await using({}, async (generator) => {
      const answer = generator.generate(PROMPTS, { sampling: { topP: 2 } })
      await expect(answer).rejects.toThrow(
        expect.objectContaining({ code: 'GENERATE_SAMPLING_INVALID' }),
      )
    })
  })
})

describe('stop strings', () => {
  it('end answers, each for itself, and are not part of them', async () => {
    await using({}, async (generator) => {
      const whole = await generator.generate(PROMPTS)
      const stop = whole[1]!.slice(3, 6)
      const streamed = PROMPTS.map(() => '')
      const answers = await generator.generate(PROMPTS, {
        stop: [stop],
        onToken: (text, index) => {
          streamed[index] += text
        },
      })
      expect(answers).toEqual(whole.map((text) => text.split(stop)[0]))
      expect(streamed).toEqual(answers)
      expect(answers[1]).not.toBe(whole[1])
    })
  })
})

describe('a cache', () => {
  it('that grows over several sizes gives what the whole text gives', async () => {
    const long = randomModel({ ...TINY.mistral, max_position_embeddings: 256 }, 'long')
    const prompts = [90, 3, 61].map((length) =>
      Int32Array.from({ length }, (_, i) => (i * i + length) % 22),
    )
    const init = { checkpoint: { ...long, tokenizer }, maxPrompt: 100, maxNew: 70, batch: 2 }
    const answers = await using(init, (generator) => generator.generateIds(prompts))
    for (const [i, prompt] of prompts.entries()) {
      const text = [...prompt, ...answers[i]!]
      const [rows] = await forward({ ...long, tokens: [text] })
      const expected = rows!
        .slice(prompt.length - 1, -1)
        .map((row) => row.indexOf(Math.max(...row)))
      expect([...answers[i]!]).toEqual(expected)
    }
  })

  it('belongs to one call: two at once do not disturb each other', async () => {
    await using({}, async (generator) => {
      const alone = [await generator.generate(PROMPTS), await generator.generate(['7 7'])]
      const together = await Promise.all([generator.generate(PROMPTS), generator.generate(['7 7'])])
      expect(together).toEqual(alone)
    })
  })
})

describe('a generator', () => {
  it('goes back to the untuned model when its adapter is', async () => {
    const spec = { rank: 2, alpha: 4, targets: model.linears.map(({ name }) => name) }
    const zeros = new Map<string, Tensor>()
    const tuned = new Map<string, Tensor>()
    for (const [name, { shape, data, dtype }] of createAdapter(model, spec, createRandom('own'))) {
      zeros.set(name, { dtype, shape, data: data.map(() => 0) })
      tuned.set(name, { dtype, shape, data: data.map((_, i) => 0.3 * Math.sin(i + name.length)) })
    }
    await using({ adapters: [{ name: 'own', spec }] }, async (generator) => {
      const plain = await generator.generate(PROMPTS)
      await generator.setAdapter('own', tuned)
      expect(await generator.generate(PROMPTS)).not.toEqual(plain)
      await generator.setAdapter('own', zeros)
      expect(await generator.generate(PROMPTS)).toEqual(plain)
    })
  })

  it('decodes a base in blocks as the whole text is read with it', async () => {
    const blocks = new Map<string, WeightValue>(weights)
    for (const { name, inputSize } of model.linears)
      if (inputSize % 16 === 0)
        blocks.set(
          `${name}.weight`,
          quantise(weights.get(`${name}.weight`)!, { bits: 8, blockSize: 16 }),
        )
    expect([...blocks.values()].some(({ dtype }) => dtype === 'blocks')).toBe(true)
    const prompts = PROMPTS.map((prompt) => tokenizer.encode(prompt).ids)
    const init = { checkpoint: { model, weights: blocks } }
    const answers = await using(init, (generator) => generator.generateIds(prompts))
    const scope = () => frozenScope(blocks)
    for (const [i, prompt] of prompts.entries()) {
      const text = [...prompt, ...answers[i]!]
      const [rows] = await forward({ model, weights: blocks, tokens: [text], scope: scope() })
      expect([...answers[i]!]).toEqual(rows!.slice(prompt.length - 1, -1).map(mostProbable))
    }
  })

  it('decodes in TensorFlow.js as well', async () => {
    const tensorflow = createExecutor('tensorflow')
    const init = { executor: tensorflow, maxNew: 3 }
    const expected = await using({ maxNew: 3 }, (generator) => generator.generate(PROMPTS))
    expect(await using(init, (generator) => generator.generate(PROMPTS))).toEqual(expected)
  })

  it('says nothing once closed', async () => {
    const generator = await open()
    await generator.close()
    await expect(generator.generate(PROMPTS)).rejects.toThrow(
      expect.objectContaining({ code: 'ENGINE_SESSION_CLOSED' }),
    )
  })
})
