import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { sha256Hex } from '#base'
import { applyDelta } from '#learning/aggregate'
import { fromLeaves, toLeaves } from '#learning/lora'
import {
  type AdapterWeights,
  batchShape,
  CloudTuner,
  DeviceTuner,
  loadTunedModel,
  type TuneInit,
  type TuningProgress,
  tuningSettings,
} from '#learning/tuning'
// Parts of the folder, to do by hand what the tuner does.
import { Learner } from '../../../learning/tuning/learner.ts'
import { learnAlone } from '../../../learning/tuning/mutual-learning.ts'
import { everyLinear, initialAdapter } from '../../../learning/tuning/tuned-model.ts'
import { COLOUR_EXAMPLES, executor, unigram } from '../train/toy-models.ts'
import { saveToy, TOY_SETTINGS } from './toy-checkpoints.ts'
import { folderOfFile, largestDifference, plain } from './toy-folders.ts'

// Seconds alone on a machine; compiling is slow beside other work.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const parent = folderOfFile()
const ROUND: TuneInit = { examples: COLOUR_EXAMPLES, round: 1, rounds: 3, seed: 7 }
let slm: string
let dpm: string

beforeAll(async () => {
  slm = await saveToy(parent, 'slm')
  dpm = await saveToy(parent, 'dpm')
})

const createTuner = (settings: object = {}) =>
  DeviceTuner.create({
    slm,
    dpm,
    settings: { ...TOY_SETTINGS, ...settings },
    engine: { threads: 1 },
  })

const digestOf = (folder: string) =>
  sha256Hex(
    ...readdirSync(folder)
      .sort()
      .map((name) => readFileSync(join(folder, name))),
  )

/** p^t + delta, with p^0 for want of another: a cloud peer's mean over one device. */
async function publish(delta: AdapterWeights): Promise<AdapterWeights> {
  const cloud = await CloudTuner.create({
    llm: dpm,
    dpm,
    settings: TOY_SETTINGS,
    engine: { threads: 1 },
  })
  async function* updates() {
    yield { delta, weight: 1 }
  }
  return (await cloud.aggregate({ shared: undefined, updates: updates(), strategy: 'fedavg' }))
    .shared
}

describe('DeviceTuner.tune', () => {
  it.each(['full', 'lora'] as const)(
    'is the same for the same arguments, and leaves the bases alone (%s)',
    async (kind) => {
      const before = [digestOf(slm), digestOf(dpm)]
      const tuner = await createTuner({ slm: kind })
      const { dpmDigest } = tuner
      const first = await tuner.tune(ROUND)
      for (const other of [tuner, await createTuner({ slm: kind })]) {
        const again = await other.tune(ROUND)
        expect(plain(again.state.slm)).toEqual(plain(first.state.slm))
        expect(plain(again.state.domain)).toEqual(plain(first.state.domain))
        expect(plain(again.delta)).toEqual(plain(first.delta))
        expect(again.metrics).toEqual(first.metrics)
      }
      const reseeded = await tuner.tune({ ...ROUND, seed: 8 })
      expect(plain(reseeded.delta)).not.toEqual(plain(first.delta))

      expect([digestOf(slm), digestOf(dpm)]).toEqual(before)
      expect(tuner.dpmDigest).toBe(dpmDigest)
      const adapters = [...first.state.slm.keys()].filter((name) => name.includes('.lora_'))
      expect(adapters.length).toBe(kind === 'lora' ? first.state.slm.size : 0)
      expect([...first.delta.keys()].every((name) => name.includes('.lora_'))).toBe(true)
      expect(first.examples).toBe(COLOUR_EXAMPLES.length)
    },
  )

  it.each(['full', 'lora'] as const)(
    'goes on from what it is given and nothing else (%s)',
    async (kind) => {
      const tuner = await createTuner({ slm: kind })
      const first = await tuner.tune(ROUND)
      const next = { ...ROUND, round: 2, state: first.state, shared: await publish(first.delta) }
      const second = await tuner.tune(next)
      for (const loss of ['modelLoss', 'dpmLoss', 'dstLoss'])
        expect(second.metrics[loss], loss).toBeLessThan(first.metrics[loss]!)
      const restarted = await (await createTuner({ slm: kind })).tune(next)
      expect(plain(restarted.delta)).toEqual(plain(second.delta))
      expect(plain(restarted.state.slm)).toEqual(plain(second.state.slm))
    },
  )

  it('returns p_i - p^t: p^t and the delta are the adapter that was trained', async () => {
    const given = { dstEpochs: 0, modelKdWeight: 0, dpmKdWeight: 0 }
    const { delta } = await (await createTuner(given)).tune(ROUND)

    // The same by hand: without distillation, the proxy model learns from the rows alone.
    const settings = tuningSettings({ ...TOY_SETTINGS, ...given })
    const model = await loadTunedModel('dpm', dpm)
    const spec = everyLinear(model, settings)
    const start = initialAdapter(model, spec, 'shared')
    const shape = batchShape(settings)
    const adapters = [{ name: 'shared', spec, trained: true }]
    const learner = await Learner.create({ model, executor, shape, base: 'frozen', adapters })
    await learner.write(toLeaves('shared', start))
    const { dpmLearningRate, samlEpochs } = settings
    const partner = { learner, learningRate: dpmLearningRate, kdWeight: 0 }
    const how = { epochs: samlEpochs, shape, settings, proxyTokenizer: unigram }
    await learnAlone({ ...ROUND, ...how, model: partner })
    const trained = fromLeaves('shared', await learner.read())
    await learner.close()

    expect(largestDifference(trained, start)).toBeGreaterThan(1e-3)
    expect(largestDifference(applyDelta(start, delta), trained)).toBeLessThan(1e-5)
  })

  it('keeps the domain adapter private: what it learns there is not in the delta', async () => {
    const tuner = await createTuner({ dpmLearningRate: 1e-12, domainLearningRate: 1e-2 })
    const { delta, state } = await tuner.tune(ROUND)
    expect(Math.max(...Object.values(plain(delta)).flat().map(Math.abs))).toBeLessThan(1e-8)
    const model = await loadTunedModel('dpm', dpm)
    const start = initialAdapter(model, everyLinear(model, tuner.settings), 'domain')
    expect(largestDifference(state.domain, start)).toBeGreaterThan(1e-4)
    expect([...state.domain.keys()]).toEqual([...delta.keys()])
  })

  it('tells its progress and stops when told', async () => {
    const tuner = await createTuner()
    const told: TuningProgress[] = []
    await tuner.tune({ ...ROUND, onProgress: (progress) => told.push(progress) })
    for (const [phase, model] of [
      ['dst', 'dpm'],
      ['saml', 'slm'],
    ] as const) {
      const steps = told.filter((progress) => progress.phase === phase)
      expect(steps.length).toBe(steps[0]!.steps)
      expect(steps.map(({ step }) => step)).toEqual(steps.map((_, i) => i + 1))
      expect(steps.every((progress) => progress.model === model && progress.loss > 0)).toBe(true)
    }
    const controller = new AbortController()
    const stopped = tuner.tune({
      ...ROUND,
      signal: controller.signal,
      onProgress: ({ phase }) => phase === 'saml' && controller.abort(),
    })
    await expect(stopped).rejects.toMatchObject({ name: 'AbortError' })
  })
})

describe('DeviceTuner.baseline', () => {
  it('takes exactly the steps that the rounds give the small model', async () => {
    // Batches of two kinds of tokens fill at different places, so the number of steps is not obvious.
    const tuner = await createTuner({ batch: 1, samlEpochs: 1, dstEpochs: 0 })
    let steps = 0
    for (const round of [1, 2]) steps += (await tuner.tune({ ...ROUND, round, rounds: 2 })).slmSteps
    const baseline = await tuner.baseline({ ...ROUND, rounds: 2 })
    expect(baseline.slmSteps).toBe(steps)
    expect(baseline.state.domain.size).toBe(0)
  })

  it('is mutual learning without the other', async () => {
    const tuner = await createTuner({ modelKdWeight: 0 })
    const { state } = await tuner.tune({ ...ROUND, rounds: 1 })
    const alone = await tuner.baseline({ ...ROUND, rounds: 1 })
    expect(largestDifference(alone.state.slm, state.slm)).toBeLessThan(1e-4)
  })
})

describe('DeviceTuner.evaluate', () => {
  it('gives a model that has learnt the answers by heart 100, and one that has not less', async () => {
    const tuner = await createTuner({ samlEpochs: 120, slmLearningRate: 2e-2 })
    const { state } = await tuner.baseline({ ...ROUND, rounds: 1 })
    const examples = COLOUR_EXAMPLES
    const scores = await tuner.evaluate({ model: 'slm', state, examples })
    expect(scores).toMatchObject({ em: 100, rougeL: 100, examples: 8 })
    expect(scores.perplexityPerByte).toBeGreaterThanOrEqual(1)
    expect(scores.perplexityPerByte).toBeLessThan(1.1)

    const untrained = await tuner.evaluate({ model: 'slm', examples })
    expect(untrained.em).toBe(0)
    expect(untrained.rougeL).toBeLessThan(50)
    expect(untrained.perplexityPerByte).toBeGreaterThan(2)

    const said: string[] = []
    const answer = await tuner.answer({
      model: 'slm',
      state,
      prompt: { instruction: 'Which colour?', input: 'sky' },
      onToken: (text) => said.push(text),
    })
    expect(answer).toBe('blue')
    expect(said.join('').trim()).toBe('blue')
  })

  it('tells the proxy model with its adapters from the one without', async () => {
    const tuner = await createTuner({ samlEpochs: 4, dstEpochs: 4 })
    const { state, delta } = await tuner.tune({ ...ROUND, rounds: 1 })
    const shared = await publish(delta)
    const of = async (tuned: { state?: typeof state; shared?: AdapterWeights }) =>
      (await tuner.evaluate({ model: 'dpm', examples: COLOUR_EXAMPLES, ...tuned }))
        .perplexityPerByte
    const [plainly, withShared, withBoth] = [
      await of({}),
      await of({ shared }),
      await of({ state, shared }),
    ]
    expect(withShared).toBeLessThan(plainly)
    expect(withBoth).toBeLessThan(plainly)
    expect(withBoth).not.toBeCloseTo(withShared, 3)
  })
})

describe('DeviceTuner.create', () => {
  it('describes its models', async () => {
    const tuner = await createTuner()
    const { slm: small, dpm: proxy } = tuner.describe()
    expect(small).toMatchObject({
      role: 'slm',
      family: 'llama',
      vocabulary: unigram.vocabularySize,
    })
    expect(proxy.digest).toBe(tuner.dpmDigest)
    expect(proxy.parameters).toBeGreaterThan(small.parameters)
  })

  it.each([{ rnk: 8 }, { rank: 0 }, { gate: 'yes' }])(
    'refuses the settings %j',
    async (settings) => {
      const [key] = Object.keys(settings)
      await expect(createTuner(settings)).rejects.toMatchObject({
        code: 'TUNING_SETTINGS_INVALID',
        message: expect.stringContaining(key!),
      })
    },
  )
})
