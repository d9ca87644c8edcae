import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { createRandom } from '#base'
import { createExecutor, type Tensor } from '#engine'
import { Generator } from '#learning/generate'
import { type AdapterWeights, createAdapter, mergeAdapter } from '#learning/lora'
import { type CausalModel, loadCheckpoint } from '#learning/models'
import { greedyUncached } from '../models/forward.ts'
import { randomModel } from '../models/random-model.ts'
import { hasSharedCheckpoints, REASON, sharedCheckpoint } from '../models/shared-checkpoints.ts'
import { FAMILIES, TINY } from '../models/tiny-models.ts'
import { numberTokenizer } from './number-tokenizer.ts'

const executor = createExecutor('onnxruntime', { threads: 1 })
const MAX_NEW = 6
const PROMPTS = [
  [3],
  [5, 9, 1, 14, 2, 7, 7, 3, 20],
  [8, 1],
  [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
]

const uncached = (
  model: CausalModel,
  weights: ReadonlyMap<string, Tensor>,
  prompt: readonly number[],
  eosId: number,
) => greedyUncached(model, weights, prompt, { maxNew: MAX_NEW, eosId })

async function decode(
  init: Pick<Parameters<typeof Generator.create>[0], 'checkpoint'> &
    Partial<Parameters<typeof Generator.create>[0]>,
  use: (generator: Generator) => Promise<void>,
): Promise<void> {
  const generator = await Generator.create({
    executor,
    batch: 3,
    maxPrompt: 12,
    maxNew: MAX_NEW,
    ...init,
  })
  try {
    await use(generator)
  } finally {
    await generator.close()
  }
}

const ids = (prompts: readonly (readonly number[])[]) => prompts.map((p) => Int32Array.from(p))
const lists = (answers: readonly Int32Array[]) => answers.map((answer) => [...answer])

describe.each(FAMILIES)('%s', (family) => {
  const { model, weights } = randomModel(TINY[family], `generate ${family}`)
  const tokenizer = numberTokenizer(23)
  const checkpoint = { model, weights, tokenizer }

  it('decodes batches of unequal prompts as the model without a cache does', async () => {
    const expected = await Promise.all(PROMPTS.map((p) => uncached(model, weights, p, 22)))
    await decode({ checkpoint }, async (generator) => {
      expect(lists(await generator.generateIds(ids(PROMPTS)))).toEqual(expected)
    })
  })

  it('cuts long prompts from the left, and answers an empty one', async () => {
    const long = Array.from({ length: 30 }, (_, i) => (i * 7) % 22)
    const expected = await uncached(model, weights, long.slice(-12), 22)
    await decode({ checkpoint }, async (generator) => {
      const [answer, empty] = lists(await generator.generateIds(ids([long, []])))
      expect(answer).toEqual(expected)
      expect(empty).toEqual(await uncached(model, weights, [22], 22))
    })
  })

  it('takes adapters without compiling anew, and as if they were merged', async () => {
    const spec = { rank: 2, alpha: 4, targets: model.linears.map(({ name }) => name) }
    const noisy = (seed: string): AdapterWeights =>
      new Map(
        [...createAdapter(model, spec, createRandom(seed))].map(
          ([name, { shape, data, dtype }]) => {
            const random = createRandom(seed + name)
            return [name, { dtype, shape, data: data.map((x) => x + 0.5 * random.normal()) }]
          },
        ),
      )
    const [shared, own] = [noisy('shared'), noisy('own')]
    const merged = mergeAdapter(model, mergeAdapter(model, weights, spec, shared), spec, own)
    const plain = await Promise.all(PROMPTS.map((p) => uncached(model, weights, p, 22)))
    const expected = await Promise.all(PROMPTS.map((p) => uncached(model, merged, p, 22)))
    expect(expected).not.toEqual(plain)
    const adapters = ['shared', 'own'].map((name) => ({ name, spec }))
    await decode({ checkpoint, adapters }, async (generator) => {
      expect(lists(await generator.generateIds(ids(PROMPTS)))).toEqual(plain)
      await generator.setAdapter('shared', shared)
      await generator.setAdapter('own', own)
      expect(lists(await generator.generateIds(ids(PROMPTS)))).toEqual(expected)
    })
  })

  it('takes all parameters anew', async () => {
    const other = randomModel(TINY[family], 'other').weights
    const expected = await Promise.all(PROMPTS.map((p) => uncached(model, other, p, 22)))
    await decode({ checkpoint, base: 'live' }, async (generator) => {
      await generator.generateIds(ids(PROMPTS.slice(0, 1)))
      await generator.setParameters(other)
      expect(lists(await generator.generateIds(ids(PROMPTS)))).toEqual(expected)
    })
  })
})

it('reads a prompt in parts that is too long for one run, beside others', async () => {
  const { model, weights } = randomModel({ ...TINY.llama, max_position_embeddings: 8_192 }, 'a')
  const part = (id: number, length: number) => Array.from({ length }, () => id)
  const [first, second, rest] = [part(5, 2_048), part(9, 2_048), part(2, 204)]
  const long = [...first, ...second, ...rest]
  const answer = (prompt: readonly number[]) => uncached(model, weights, prompt, -1)
  const prompts = [[3], long, [8, 1]]
  const expected = await Promise.all(prompts.map(answer))
  // Neither part could be lost unseen.
  expect(await answer([...second, ...rest])).not.toEqual(expected[1])
  expect(await answer([...first, ...rest])).not.toEqual(expected[1])
  const init = { checkpoint: { model, weights }, stopIds: [], maxPrompt: long.length }
  await decode(init, async (generator) => {
    expect(lists(await generator.generateIds(ids(prompts)))).toEqual(expected)
  })
})

describe('stops', () => {
  const { model, weights } = randomModel(TINY.llama, 'generate llama')

  it('at the end-of-sequence token, which is not part of the answer', async () => {
    const [prompt] = PROMPTS.slice(1)
    const whole = await uncached(model, weights, prompt!, -1)
    const eosId = whole[3]!
    const checkpoint = { model, weights, tokenizer: numberTokenizer(23, eosId) }
    await decode({ checkpoint }, async (generator) => {
      const [answer] = lists(await generator.generateIds(ids([prompt!])))
      expect(answer).toEqual(whole.slice(0, whole.indexOf(eosId)))
    })
  })

  it('when told to', async () => {
    const checkpoint = { model, weights, tokenizer: numberTokenizer(23) }
    await decode({ checkpoint, batch: 1 }, async (generator) => {
      const stop = new AbortController()
      const seen: string[] = []
      const answer = generator.generate(['5 9 1'], {
        signal: stop.signal,
        onToken: (text) => {
          seen.push(text)
          if (seen.length === 2) stop.abort(new Error('enough'))
        },
      })
      await expect(answer).rejects.toThrow('enough')
      expect(seen).toHaveLength(2)
    })
  })

  it('before it starts, when the model is too short', async () => {
    const checkpoint = { model, weights, tokenizer: numberTokenizer(23) }
    await expect(
      Generator.create({ checkpoint, executor, batch: 1, maxPrompt: 60, maxNew: 5 }),
    ).rejects.toThrow(expect.objectContaining({ code: 'MODEL_CONTEXT_EXCEEDED' }))
  })
})

describe('text', () => {
  const { model, weights } = randomModel(TINY.qwen2, 'generate qwen2')
  const checkpoint = { model, weights, tokenizer: numberTokenizer(23) }

  it('needs a tokenizer', async () => {
    await decode({ checkpoint: { model, weights } }, async (generator) => {
      await expect(generator.generate(['5 9 1'])).rejects.toThrow(
        expect.objectContaining({ code: 'GENERATE_NO_TOKENIZER' }),
      )
    })
  })

  it('streams what it answers', async () => {
    await decode({ checkpoint, batch: 2 }, async (generator) => {
      const streamed = ['', '']
      const answers = await generator.generate(['5 9 1', '3'], {
        onToken: (text, index) => {
          streamed[index] += text
        },
      })
      expect(streamed).toEqual(answers)
      expect(answers[0]).not.toBe('')
    })
  })
})

const RECORDED = [
  ...['gpt2', 'llama', 'llama-bf16', 'llama-mixed', 'llama-sharded', 'llama-rope-linear'],
  ...['llama3-rope', 'qwen2', 'qwen2-bf16', 'stories260K', 'stories260K-f16', 'babyllama105'],
]

describe.skipIf(!hasSharedCheckpoints)(`greedy tokens equal those of transformers${REASON}`, () => {
  it.each(RECORDED)('%s', async (name) => {
    const golden = JSON.parse(readFileSync(sharedCheckpoint(name, 'golden.json'), 'utf8')) as {
      input_ids: number[][]
      greedy: number[]
    }
    const { model, weights } = await loadCheckpoint(sharedCheckpoint(name))
    const prompt = golden.input_ids[0]!
    // No id ends it: the record has 20 tokens whatever they are.
    const lengths = { maxPrompt: prompt.length, maxNew: golden.greedy.length }
    const init = { checkpoint: { model, weights }, stopIds: [], ...lengths, batch: 2 }
    await decode(init, async (generator) => {
      const answers = await generator.generateIds(ids([prompt, prompt.slice(0, 5)]))
      expect([...answers[0]!]).toEqual(golden.greedy)
    })
  })
})
