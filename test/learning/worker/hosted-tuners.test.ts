import { createRequire } from 'node:module'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { type AdapterWeights, CloudTuner, DeviceTuner, type TuningProgress } from '#learning/tuning'
import { HostedCloudTuner, HostedDeviceTuner } from '#learning/worker'
import { COLOUR_EXAMPLES } from '../train/toy-models.ts'
import { saveToy, TOY_SETTINGS } from '../tuning/toy-checkpoints.ts'
import { folderOfFile, plain } from '../tuning/toy-folders.ts'

// Seconds alone on a machine; compiling is slow beside other work.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const parent = folderOfFile()
const ROUND = { examples: COLOUR_EXAMPLES, round: 1, rounds: 1, seed: 'hosted' }
let slm: string
let dpm: string
let hosted: HostedDeviceTuner
const init = () => ({ slm, dpm, settings: TOY_SETTINGS, engine: { threads: 1 } })

/** Whether this thread has loaded ONNX Runtime. */
const isRuntimeHere = () =>
  Object.keys(createRequire(import.meta.url).cache).some((path) =>
    path.includes('onnxruntime-node'),
  )

beforeAll(async () => {
  slm = await saveToy(parent, 'slm')
  dpm = await saveToy(parent, 'dpm')
  hosted = await HostedDeviceTuner.create(init())
})
afterAll(() => hosted?.close())

it('does what the tuner in this thread does, and never loads the runtime here', async () => {
  const progress: TuningProgress[] = []
  const result = await hosted.tune({ ...ROUND, onProgress: (step) => progress.push(step) })
  expect(isRuntimeHere()).toBe(false)
  const here = await DeviceTuner.create(init())
  const expected = await here.tune(ROUND)
  expect(isRuntimeHere()).toBe(true)
  expect(hosted.dpmDigest).toBe(here.dpmDigest)
  expect(hosted.describe()).toEqual(here.describe())
  expect(plain(result.delta)).toEqual(plain(expected.delta))
  expect(plain(result.state.slm)).toEqual(plain(expected.state.slm))
  expect(result.metrics).toEqual(expected.metrics)
  expect(progress.map(({ phase }) => phase)).toContain('saml')
})

it('stops at the next step when it is told to, and answers afterwards', async () => {
  const controller = new AbortController()
  const reason = new Error('another round')
  const steps: number[] = []
  const onProgress = ({ step }: TuningProgress) => {
    steps.push(step)
    controller.abort(reason)
  }
  // As many rounds as would take minutes.
  const baseline = { examples: COLOUR_EXAMPLES, rounds: 1_000, seed: 1, onProgress }
  await expect(hosted.baseline({ ...baseline, signal: controller.signal })).rejects.toBe(reason)
  expect(steps.length).toBeLessThan(20)
  const said: string[] = []
  const prompt = { instruction: 'Which colour?', input: 'sky' }
  const onToken = (text: string) => said.push(text)
  const answer = await hosted.answer({ model: 'slm', prompt, onToken })
  expect(said.length).toBeGreaterThan(0)
  expect(said.join('').trim()).toBe(answer.trim())
})

it('stops an answer that nobody waits for any more', async () => {
  const controller = new AbortController()
  const reason = new Error('enough')
  const said: string[] = []
  const answer = hosted.answer({
    model: 'dpm',
    prompt: { instruction: 'Which colour?', input: 'sky' },
    onToken: (text) => said.push(text),
    signal: controller.signal,
  })
  controller.abort(reason)
  await expect(answer).rejects.toBe(reason)
  expect(said).toEqual([])
})

it('refuses a model as the tuner in this thread does', async () => {
  await expect(
    HostedDeviceTuner.create({ ...init(), slm: `${parent}/none` }),
  ).rejects.toMatchObject({
    name: 'CotuneError',
    code: 'MODEL_CONFIG_NOT_FOUND',
    hint: expect.stringMatching(/./),
  })
})

it('merges updates that come one by one, and fails as their source does', async () => {
  const models = { llm: dpm, dpm, settings: TOY_SETTINGS, engine: { threads: 1 } }
  const here = await CloudTuner.create(models)
  const { delta } = await hosted.tune(ROUND)
  const copies = () => new Map([...delta].map(([name, value]) => [name, { ...value }]))
  async function* updates(): AsyncGenerator<{ delta: AdapterWeights; weight: number }> {
    yield { delta: copies(), weight: 1 }
    yield { delta: copies(), weight: 3 }
  }
  async function* broken() {
    yield* updates()
    throw new Error('a damaged file')
  }
  const cloud = await HostedCloudTuner.create(models)
  try {
    const about = { shared: undefined, strategy: 'exact' as const }
    const merged = await cloud.aggregate({ ...about, updates: updates() })
    const expected = await here.aggregate({ ...about, updates: updates() })
    expect(plain(merged.shared)).toEqual(plain(expected.shared))
    await expect(cloud.aggregate({ ...about, updates: broken() })).rejects.toThrow('a damaged file')
  } finally {
    await cloud.close()
  }
})
