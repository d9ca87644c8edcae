import { expect, it } from 'vitest'
import { createRandom } from '#base'
import type { Example } from '#learning/data'
import { type DeviceState, DeviceTuner } from '#learning/tuning'
import { COLOUR_EXAMPLES } from '../train/toy-models.ts'
import { saveToy, TOY_SETTINGS } from './toy-checkpoints.ts'
import { folderOfFile } from './toy-folders.ts'

const SUBJECTS = COLOUR_EXAMPLES.map(({ input }) => input)
const COLOURS = ['red', 'green', 'blue', 'white', 'yellow', 'black']
const SLOW_MS = 240_000
const parent = folderOfFile()

/** Rows in which each subject is mostly of one colour: what is to be learnt is how often, and that takes many rows. */
function opinions(seed: string, count: number, likelihood: number): Example[] {
  const random = createRandom(seed)
  return Array.from({ length: count }, (_, i) => {
    const subject = i % SUBJECTS.length
    const usual = random.next() < likelihood
    return {
      id: `${seed} ${i}`,
      instruction: 'Which colour?',
      input: SUBJECTS[subject]!,
      output: usual ? COLOURS[subject % COLOURS.length]! : random.pick(COLOURS),
    }
  })
}

it(
  'teaches: with a proxy model that knows the domain, few rows give a better small model than alone',
  async () => {
    // The small model has read such rows, but without the habit; the proxy model has read many with it.
    const read = { examples: opinions('any', 192, 0), epochs: 5 }
    const slm = await saveToy(parent, 'slm', read)
    const dpm = await saveToy(parent, 'dpm', { examples: opinions('many', 240, 0.6), epochs: 5 })
    const settings = {
      ...TOY_SETTINGS,
      dstEpochs: 0,
      samlEpochs: 80,
      modelKdWeight: 0.8,
      topK: 16,
      dpmLearningRate: 1e-5,
    }
    const tuner = await DeviceTuner.create({ slm, dpm, settings, engine: { threads: 1 } })
    const heldOut = opinions('held out', 64, 0.6)
    const natsPerByte = async (state: DeviceState) =>
      Math.log((await tuner.evaluate({ model: 'slm', state, examples: heldOut })).perplexityPerByte)
    const results: { alone: number; mutual: number }[] = []
    for (const seed of [1, 2]) {
      const few = { examples: opinions(`few ${seed}`, 16, 0.6), rounds: 1, seed }
      const alone = await tuner.baseline(few)
      const mutual = await tuner.tune({ ...few, round: 1 })
      expect(mutual.slmSteps).toBe(alone.slmSteps)
      results.push({
        alone: await natsPerByte(alone.state),
        mutual: await natsPerByte(mutual.state),
      })
    }
    const mean = (which: 'alone' | 'mutual') =>
      results.reduce((sum, result) => sum + result[which], 0) / results.length
    // Alone it learns its few rows by heart: 0.85 nats per byte against 0.63 when this was written.
    expect(mean('mutual')).toBeLessThan(0.9 * mean('alone'))
  },
  SLOW_MS,
)

it(
  'does not listen to a proxy model that knows less, if it has a gate',
  async () => {
    const slm = await saveToy(parent, 'slm', { examples: opinions('any', 192, 0), epochs: 5 })
    const settings = {
      ...TOY_SETTINGS,
      dstEpochs: 0,
      samlEpochs: 2,
      dpmLearningRate: 1e-5,
      gate: 'both',
    }
    const ignorant = await saveToy(parent, 'llm')
    const tuner = await DeviceTuner.create({ slm, dpm: ignorant, settings, engine: { threads: 1 } })
    const { metrics } = await tuner.tune({
      examples: opinions('few', 16, 0.6),
      round: 1,
      rounds: 1,
      seed: 1,
    })
    expect(metrics.modelGateOpen).toBe(0)
    expect(metrics.dpmGateOpen).toBeGreaterThan(0.5)
  },
  SLOW_MS,
)
