import { beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { tensor } from '#engine'
import { Generator } from '#learning/generate'
import { TrainStep } from '#learning/train'
import { CloudTuner, DeviceTuner, loadTunedModel } from '#learning/tuning'
// Parts of the folder: what the tuners create.
import { createGenerator } from '../../../learning/tuning/create-generator.ts'
import { Learner } from '../../../learning/tuning/learner.ts'
import { everyLinear } from '../../../learning/tuning/tuned-model.ts'
import { COLOUR_EXAMPLES, tinyTrainee } from '../train/toy-models.ts'
import { countingExecutor } from './counting-executor.ts'
import { saveToy, TOY_SETTINGS } from './toy-checkpoints.ts'
import { folderOfFile } from './toy-folders.ts'

// Seconds alone on a machine; compiling is slow beside other work.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const SHAPE = { batch: 4, length: 48, rows: 96, examples: 10 }
const ADAPTER = { rank: 2, alpha: 4 }

const parent = folderOfFile()
let slm: string
let dpm: string

beforeAll(async () => {
  slm = await saveToy(parent, 'slm')
  dpm = await saveToy(parent, 'dpm')
})
beforeEach(() => {
  vi.restoreAllMocks()
})

describe('no session stays open', () => {
  it('when a learner cannot teach', async () => {
    const { executor, open, compiled } = countingExecutor({ compiles: 1 })
    const teacher = { topK: 4, entries: 96, temperature: 1, gate: false }
    const model = await loadTunedModel('slm', slm)
    const learner = Learner.create({ model, executor, shape: SHAPE, base: 'trained', teacher })
    await expect(learner).rejects.toThrow('no room')
    expect([compiled(), open()]).toEqual([1, 0])
  })

  it('when the moments of a step cannot be set', async () => {
    const writeVariables = () => Promise.reject(new Error('no memory for moments'))
    const { executor, open, compiled } = countingExecutor({ session: { writeVariables } })
    const step = TrainStep.create({ trainee: tinyTrainee('moments'), executor, shape: SHAPE })
    await expect(step).rejects.toThrow('no memory')
    expect([compiled(), open()]).toEqual([1, 0])
  })

  it('when the weights of a live base cannot be read', async () => {
    const { executor, open, compiled } = countingExecutor()
    const { checkpoint } = await loadTunedModel('slm', slm)
    const gone = { path: `${parent}/gone`, offset: 0, sizeBytes: 4 }
    const weights = new Map(
      [...checkpoint.weights].map(([name, { shape }]) => {
        return [name, { dtype: 'mapped' as const, shape, data: gone }]
      }),
    )
    const sizes = { batch: 1, maxPrompt: 8, maxNew: 8 }
    const generator = Generator.create({
      checkpoint: { ...checkpoint, weights },
      base: 'live',
      executor,
      ...sizes,
    })
    await expect(generator).rejects.toMatchObject({ code: 'ENOENT' })
    expect([compiled(), open()]).toEqual([1, 0])
  })

  it('when an adapter is of another model', async () => {
    const { executor, open, compiled } = countingExecutor()
    const model = await loadTunedModel('slm', slm)
    const spec = everyLinear(model, ADAPTER)
    const [target] = spec.targets
    const weights = new Map([[`${target}.lora_A.weight`, tensor(new Float32Array(6), [2, 3])]])
    const tuned = { adapters: [{ name: 'own', spec, weights }] }
    const generator = createGenerator({ model, tuned, executor, length: 48, batch: 1 })
    await expect(generator).rejects.toMatchObject({ code: 'ENGINE_WRONG_TENSOR' })
    expect([compiled(), open()]).toEqual([1, 0])
  })
})

describe('no learner stays open', () => {
  const ROUND = { examples: COLOUR_EXAMPLES, round: 1, rounds: 1, seed: 1, shared: undefined }

  /** Only so many learners can be created. */
  function allow(count: number) {
    const create = Learner.create.bind(Learner)
    const created = vi.spyOn(Learner, 'create').mockImplementation(async (init) => {
      if (created.mock.calls.length > count) throw new Error('no room for another learner')
      return create(init)
    })
    return { closed: vi.spyOn(Learner.prototype, 'close') }
  }

  it('when a device has no room for its proxy', async () => {
    const init = { slm, dpm, settings: TOY_SETTINGS, engine: { threads: 1 } }
    const tuner = await DeviceTuner.create(init)
    const { closed } = allow(2)
    await expect(tuner.tune(ROUND)).rejects.toThrow('no room')
    expect(closed).toHaveBeenCalledTimes(2)
  })

  it('when the cloud peer has no room for its proxy', async () => {
    const init = { llm: dpm, dpm, settings: TOY_SETTINGS, engine: { threads: 1 } }
    const tuner = await CloudTuner.create(init)
    const { closed } = allow(1)
    await expect(tuner.tune(ROUND)).rejects.toThrow('no room')
    expect(closed).toHaveBeenCalledTimes(1)
  })
})
