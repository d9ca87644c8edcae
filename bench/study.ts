import { join } from 'node:path'
import { createRandom, packagePath } from '#base'
import { type Example, isPublic, readExamples } from '#learning/data'
import {
  type AdapterWeights,
  CloudTuner,
  type DeviceState,
  DeviceTuner,
  type Scores,
} from '#learning/tuning'
import type { Bench } from './bench.ts'
import { parseOptions, wholeNumber } from './options.ts'
import { secondsSince } from './serve.ts'

/**
 * Co-tuning without the mesh: all peers in one process, one after the other, deltas unquantised. For trying settings out:
 * `npm run bench -- study --data DIR --domains a,b,c --train 400 --rounds 3 --settings '{"temperature":1}'`
 */
export const studyBench: Bench = {
  run: async ({ args }) => {
    const options = parseStudyOptions(args)
    const study = await openStudy(options)
    await reportCloud('before', study)
    for (const device of study.devices) {
      const { domain, tuner, valid } = device
      report(`${domain} dpm before`, await tuner.evaluate({ model: 'dpm', examples: valid }))
      if (!options['no-baseline']) await reportBaseline(device, study)
    }
    if (options['no-cotune']) return
    const learnt: Learnt = { devices: new Map() }
    for (let round = 1; round <= study.rounds; round++) await playRound(round, study, learnt)
    for (const device of study.devices) await reportDevice(device, learnt)
    await reportCloud('after', study, learnt)
  },
}

function parseStudyOptions(args: readonly string[]) {
  return parseOptions(args, {
    data: { type: 'string', default: packagePath('examples', 'data') },
    zoo: { type: 'string', default: packagePath('zoo') },
    domains: { type: 'string', default: 'home,maintenance,clinic' },
    slms: { type: 'string', default: 'slm-gpt2,slm-llama,slm-qwen2' },
    dpm: { type: 'string', default: 'dpm' },
    llm: { type: 'string', default: 'llm' },
    train: { type: 'string', default: '400' },
    valid: { type: 'string', default: '200' },
    rounds: { type: 'string', default: '3' },
    seed: { type: 'string', default: '1' },
    settings: { type: 'string', default: '{}' },
    'no-baseline': { type: 'boolean', default: false },
    'no-cloud': { type: 'boolean', default: false },
    'no-cotune': { type: 'boolean', default: false },
  })
}

interface Study {
  readonly devices: readonly Device[]
  readonly cloud: CloudTuner | undefined
  readonly rounds: number
  readonly seed: string
}

interface Device {
  readonly domain: string
  /** The name of its own model. */
  readonly slm: string
  readonly tuner: DeviceTuner
  readonly train: readonly Example[]
  readonly publicRows: readonly Example[]
  readonly valid: readonly Example[]
}

/** What the rounds so far have left. */
interface Learnt {
  readonly devices: Map<Device, DeviceState>
  /** The large model's adapter. */
  state?: AdapterWeights
  shared?: AdapterWeights
}

async function openStudy(options: ReturnType<typeof parseStudyOptions>): Promise<Study> {
  const { data, seed, zoo } = options
  const [train, count] = [wholeNumber('train', options.train), wholeNumber('valid', options.valid)]
  const rounds = wholeNumber('rounds', options.rounds)
  const settings: unknown = JSON.parse(options.settings)
  const [dpm, llm] = [join(zoo, options.dpm), join(zoo, options.llm)]
  const slms = options.slms.split(',')
  const cloud = options['no-cloud'] ? undefined : await CloudTuner.create({ llm, dpm, settings })
  const devices = options.domains.split(',').map(async (domain, index): Promise<Device> => {
    const slm = slms[index % slms.length]!
    const rows = await readExamples(join(data, `${domain}.train.jsonl`))
    const valid = await readExamples(join(data, `${domain}.valid.jsonl`))
    return {
      domain,
      slm,
      tuner: await DeviceTuner.create({ slm: join(zoo, slm), dpm, settings }),
      train: rows.filter((row) => !isPublic(row.id)).slice(0, train),
      publicRows: rows.filter((row) => isPublic(row.id)),
      valid: createRandom(seed).shuffle(valid).slice(0, count),
    }
  })
  return { devices: await Promise.all(devices), cloud, rounds, seed }
}

/** One round: every device, then the cloud peer. */
async function playRound(
  round: number,
  { devices, cloud, rounds, seed }: Study,
  learnt: Learnt,
): Promise<void> {
  const { shared } = learnt
  const updates: { readonly delta: AdapterWeights; readonly weight: number }[] = []
  for (const device of devices) {
    const start = performance.now()
    const { train: examples, tuner } = device
    const state = learnt.devices.get(device)
    const tuned = await tuner.tune({ examples, state, shared, round, rounds, seed })
    learnt.devices.set(device, tuned.state)
    updates.push({ delta: tuned.delta, weight: tuned.examples })
    const seconds = secondsSince(start)
    log(`round ${round} ${device.domain}`, { ...tuned.metrics, seconds })
  }
  if (!cloud) return
  const merged = await cloud.aggregate({ shared, updates: each(updates), strategy: 'exact' })
  const { energyDropped } = merged
  const start = performance.now()
  const about = { state: learnt.state, shared: merged.shared, round, rounds, seed }
  const examples = devices.flatMap(({ publicRows }) => publicRows)
  const tuned = await cloud.tune({ ...about, examples })
  learnt.state = tuned.state
  learnt.shared = tuned.shared
  const seconds = secondsSince(start)
  log(`round ${round} cloud`, { energyDropped, ...tuned.metrics, seconds })
}

async function* each<T>(items: readonly T[]): AsyncIterable<T> {
  yield* items
}

/** The small model alone. */
async function reportBaseline(device: Device, { rounds, seed }: Study): Promise<void> {
  const { domain, slm, tuner, train, valid } = device
  const start = performance.now()
  const { state, slmSteps } = await tuner.baseline({ examples: train, rounds, seed })
  const seconds = secondsSince(start)
  const scores = await tuner.evaluate({ model: 'slm', state, examples: valid })
  report(`${domain} ${slm} standalone`, scores, { train: train.length, slmSteps, seconds })
}

async function reportDevice(device: Device, learnt: Learnt): Promise<void> {
  const { domain, slm, tuner, valid: examples } = device
  const about = { state: learnt.devices.get(device), shared: learnt.shared, examples }
  report(`${domain} ${slm} cotuned`, await tuner.evaluate({ ...about, model: 'slm' }))
  report(`${domain} dpm+domain`, await tuner.evaluate({ ...about, model: 'dpm' }))
}

async function reportCloud(
  when: 'before' | 'after',
  { cloud, devices }: Study,
  { state, shared }: Partial<Learnt> = {},
): Promise<void> {
  const examples = devices.flatMap(({ valid }) => valid)
  for (const model of ['llm', 'dpm'] as const) {
    const scores = await cloud?.evaluate({ model, state, shared, examples })
    if (scores) report(`${model} ${when}`, scores)
  }
}

function report(what: string, scores: Scores, more: Readonly<Record<string, number>> = {}): void {
  const { em, rougeL, perplexityPerByte } = scores
  log(what, { em, rougeL, perplexityPerByte, ...more })
}

function log(what: string, numbers: Readonly<Record<string, number>>): void {
  const parts = Object.entries(numbers).map(([name, value]) => `${name} ${value.toFixed(3)}`)
  process.stdout.write(`${what.padEnd(34)} ${parts.join('  ')}\n`)
}
