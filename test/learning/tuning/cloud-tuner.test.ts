import { beforeAll, describe, expect, it, vi } from 'vitest'
import { tensor } from '#engine'
import { loraA, loraB } from '#learning/lora'
import { type AdapterWeights, CloudTuner, DeviceTuner } from '#learning/tuning'
import { COLOUR_EXAMPLES } from '../train/toy-models.ts'
import { saveToy, TOY_SETTINGS } from './toy-checkpoints.ts'
import { folderOfFile, plain } from './toy-folders.ts'

// Seconds alone on a machine; compiling is slow beside other work.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const parent = folderOfFile()
const ROUND = { examples: COLOUR_EXAMPLES, round: 1, rounds: 2, seed: 'cloud', shared: undefined }
let tuner: CloudTuner
let delta: AdapterWeights

beforeAll(async () => {
  const [slm, dpm, llm] = [
    await saveToy(parent, 'slm'),
    await saveToy(parent, 'dpm'),
    await saveToy(parent, 'llm'),
  ]
  const settings = { ...TOY_SETTINGS, cloudEpochs: 2 }
  tuner = await CloudTuner.create({ llm, dpm, settings, engine: { threads: 1 } })
  const device = await DeviceTuner.create({ slm, dpm, settings, engine: { threads: 1 } })
  expect(tuner.dpmDigest).toBe(device.dpmDigest)
  delta = (await device.tune({ ...ROUND, rounds: 1 })).delta
})

async function* from(updates: readonly { delta: AdapterWeights; weight: number }[]) {
  yield* updates
}

const aggregate = (
  updates: readonly { delta: AdapterWeights; weight: number }[],
  strategy: 'exact' | 'fedavg',
  shared?: AdapterWeights,
) => tuner.aggregate({ shared, updates: from(updates), strategy })

/** B A of each module, [out, in]. */
function products(adapter: AdapterWeights): Map<string, number[]> {
  const modules = [...adapter.keys()]
    .filter((name) => name.endsWith('.lora_A.weight'))
    .map((name) => name.slice(0, -'.lora_A.weight'.length))
  return new Map(
    modules.map((module) => {
      const a = adapter.get(loraA(module))!
      const b = adapter.get(loraB(module))!
      const [rank, inputs] = a.shape as [number, number]
      const product = Array.from({ length: b.shape[0]! * inputs }, (_, at) => {
        const [row, column] = [Math.floor(at / inputs), at % inputs]
        let sum = 0
        for (let k = 0; k < rank; k++) sum += b.data[row * rank + k]! * a.data[k * inputs + column]!
        return sum
      })
      return [module, product] as const
    }),
  )
}

describe('CloudTuner.aggregate', () => {
  it.each([1, 250])('of one device of weight %d is that device', async (weight) => {
    const alone = await aggregate([{ delta, weight }], 'fedavg')
    const exact = await aggregate([{ delta, weight }], 'exact')
    expect(exact.energyDropped).toBeLessThan(1e-6)
    const expected = products(alone.shared)
    for (const [module, product] of products(exact.shared))
      for (const [i, value] of product.entries())
        expect(value, module).toBeCloseTo(expected.get(module)![i]!, 5)
    expect([...exact.shared.keys()]).toEqual([...delta.keys()])
  })

  it('weighs devices by their examples', async () => {
    const zero: AdapterWeights = new Map(
      [...delta].map(([name, { data, shape }]) => [
        name,
        tensor(new Float32Array(data.length), shape),
      ]),
    )
    const start = (await aggregate([{ delta: zero, weight: 1 }], 'fedavg')).shared
    const merged = await aggregate(
      [
        { delta, weight: 3 },
        { delta: zero, weight: 1 },
      ],
      'fedavg',
    )
    for (const [name, { data }] of merged.shared)
      for (const [i, value] of data.entries())
        expect(value).toBeCloseTo(start.get(name)!.data[i]! + 0.75 * delta.get(name)!.data[i]!, 5)
    // The start is what a second round would be given, too.
    const again = await aggregate(
      [
        { delta, weight: 3 },
        { delta: zero, weight: 1 },
      ],
      'fedavg',
      start,
    )
    expect(plain(again.shared)).toEqual(plain(merged.shared))
  })

  it('refuses a delta of another adapter', async () => {
    const foreign = new Map([...delta].slice(2))
    await expect(aggregate([{ delta: foreign, weight: 1 }], 'exact')).rejects.toMatchObject({
      code: 'AGGREGATE_NAMES',
    })
    await expect(aggregate([], 'exact')).rejects.toMatchObject({ code: 'AGGREGATE_EMPTY' })
  })
})

describe('CloudTuner.tune', () => {
  it('is the same for the same arguments, and goes on from what it is given', async () => {
    const first = await tuner.tune({ ...ROUND, state: undefined })
    const again = await tuner.tune({ ...ROUND, state: undefined })
    expect(plain(again.state)).toEqual(plain(first.state))
    expect(plain(again.shared)).toEqual(plain(first.shared))
    const second = await tuner.tune({ ...ROUND, ...first, round: 2 })
    expect(second.metrics.modelLoss).toBeLessThan(first.metrics.modelLoss!)
    expect(second.metrics.dpmLoss).toBeLessThan(first.metrics.dpmLoss!)
  })

  it('reads no more rows than it is told to', async () => {
    const [row] = COLOUR_EXAMPLES
    const many = Array.from({ length: 40 }, (_, i) => ({ ...row!, id: `${i}` }))
    const steps = async (examples: typeof many) => {
      let last = 0
      await tuner.tune({
        ...ROUND,
        state: undefined,
        examples,
        onProgress: (told) => {
          last = told.steps
        },
      })
      return last
    }
    expect(await steps(many)).toBe(await steps(many.slice(0, TOY_SETTINGS.cloudExamples)))
  })
})

describe('CloudTuner.evaluate', () => {
  it('scores both models, with and without what they have learnt', async () => {
    const { state, shared } = await tuner.tune({ ...ROUND, state: undefined })
    for (const model of ['llm', 'dpm'] as const) {
      const before = await tuner.evaluate({ model, examples: COLOUR_EXAMPLES })
      const after = await tuner.evaluate({ model, examples: COLOUR_EXAMPLES, state, shared })
      expect(after.perplexityPerByte).toBeLessThan(before.perplexityPerByte)
      for (const { em, rougeL, examples, perplexityPerByte } of [before, after]) {
        for (const score of [em, rougeL]) expect(score >= 0 && score <= 100).toBe(true)
        expect(examples).toBe(COLOUR_EXAMPLES.length)
        expect(perplexityPerByte).toBeGreaterThanOrEqual(1)
      }
    }
  })
})
