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
      samlEpochs: 12,
      topK: 16,
      dpmLearningRate: 1e-5,
    }
    const tuner = await DeviceTuner.create({ slm, dpm, settings, threads: 1 })
    const heldOut = opinions('held out', 64, 0.6)
    const at = async (state?: DeviceState) =>
      Math.log((await tuner.evaluate({ model: 'slm', state, examples: heldOut })).perplexityPerByte)
  for (const [epochs, kd, gate] of [[80, 0.8, false], [80, 0.8, true], [80, 0.5, true]] as const) {
  const tuner = await DeviceTuner.create({ slm, dpm, settings: { ...settings, samlEpochs: epochs, modelKdWeight: kd, gate }, threads: 1 })
  const at = async (state?: DeviceState) => Math.log((await tuner.evaluate({ model: 'slm', state, examples: heldOut })).perplexityPerByte)
    const results: { alone: number; mutual: number }[] = []
    for (const seed of [1, 2, 3]) {
      const few = { examples: opinions(`few ${seed}`, 16, 0.6), rounds: 1, seed }
      const alone = await tuner.baseline(few)
      const mutual = await tuner.tune({ ...few, round: 1 })
      expect(mutual.slmSteps).toBe(alone.slmSteps)
      results.push({ alone: await at(alone.state), mutual: await at(mutual.state) })
    }
console.log('R', epochs, kd, gate, JSON.stringify(results)) }
  },
  SLOW_MS,
)
