import { join } from 'node:path'
import { parseArgs } from 'node:util'
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

/**
 * Co-tuning without the mesh: all peers in one process, one after the other, deltas unquantised. For trying settings out:
 * `npm run bench -- study --data DIR --domains a,b,c --train 400 --rounds 3 --settings '{"temperature":1}'`
 */
export const studyBench: Bench = { run: ({ args }) => study(args) }

async function study(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
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
    },
  })
  const settings: unknown = JSON.parse(values.settings)
  const rounds = Number(values.rounds)
  const model = (name: string) => join(values.zoo, name)
  const slms = values.slms.split(',')
  const cloud = values['no-cloud']
    ? undefined
    : await CloudTuner.create({ llm: model(values.llm), dpm: model(values.dpm), settings })
  const devices = await Promise.all(
    values.domains.split(',').map(async (domain, index) => {
      const slm = slms[index % slms.length]!
      const rows = await readExamples(join(values.data, `${domain}.train.jsonl`))
      const valid = await readExamples(join(values.data, `${domain}.valid.jsonl`))
      return {
        domain,
        slm,
        tuner: await DeviceTuner.create({ slm: model(slm), dpm: model(values.dpm), settings }),
        train: rows.filter((row) => !isPublic(row.id)).slice(0, Number(values.train)),
        publicRows: rows.filter((row) => isPublic(row.id)),
        valid: sample(valid, Number(values.valid), values.seed),
        state: undefined as DeviceState | undefined,
      }
    }),
  )
  const publicRows = devices.flatMap((device) => device.publicRows)
  const validRows = devices.flatMap((device) => device.valid)
  if (cloud) {
    report('llm before', await cloud.evaluate({ model: 'llm', examples: validRows }))
    report('dpm before', await cloud.evaluate({ model: 'dpm', examples: validRows }))
  }
  for (const { domain, slm, tuner, train, valid } of devices) {
    report(`${domain} dpm before`, await tuner.evaluate({ model: 'dpm', examples: valid }))
    if (values['no-baseline']) continue
    const started = Date.now()
    const { state, slmSteps } = await tuner.baseline({ examples: train, rounds, seed: values.seed })
    const seconds = (Date.now() - started) / 1000
    const scores = await tuner.evaluate({ model: 'slm', state, examples: valid })
    report(`${domain} ${slm} standalone`, scores, { train: train.length, slmSteps, seconds })
  }
  if (values['no-cotune']) return
  let shared: AdapterWeights | undefined
  let state: AdapterWeights | undefined
  for (let round = 1; round <= rounds; round++) {
    const updates: { delta: AdapterWeights; weight: number }[] = []
    for (const device of devices) {
      const started = Date.now()
      const { train: examples, tuner } = device
      const tuned = await tuner.tune({
        ...device,
        examples,
        round,
        rounds,
        shared,
        seed: values.seed,
      })
      device.state = tuned.state
      updates.push({ delta: tuned.delta, weight: tuned.examples })
      log(`round ${round} ${device.domain}`, {
        ...tuned.metrics,
        seconds: (Date.now() - started) / 1000,
      })
    }
    if (!cloud) continue
    const merged = await cloud.aggregate({ shared, updates: each(updates), strategy: 'exact' })
    const started = Date.now()
    const tuned = await cloud.tune({
      examples: publicRows,
      round,
      rounds,
      state,
      shared: merged.shared,
      seed: values.seed,
    })
    shared = tuned.shared
    state = tuned.state
    log(`round ${round} cloud`, {
      energyDropped: merged.energyDropped,
      ...tuned.metrics,
      seconds: (Date.now() - started) / 1000,
    })
  }
  for (const { domain, slm, tuner, valid, state: own } of devices) {
    report(
      `${domain} ${slm} cotuned`,
      await tuner.evaluate({ model: 'slm', state: own, examples: valid }),
    )
    report(
      `${domain} dpm+domain`,
      await tuner.evaluate({ model: 'dpm', state: own, shared, examples: valid }),
    )
  }
  if (cloud) {
    report('llm after', await cloud.evaluate({ model: 'llm', state, examples: validRows }))
    report('dpm after', await cloud.evaluate({ model: 'dpm', shared, examples: validRows }))
  }
}

function sample(rows: readonly Example[], count: number, seed: string): Example[] {
  return createRandom(seed).shuffle(rows).slice(0, count)
}

async function* each<T>(items: readonly T[]): AsyncIterable<T> {
  yield* items
}

function report(what: string, scores: Scores, more: Readonly<Record<string, number>> = {}): void {
  const { em, rougeL, perplexityPerByte } = scores
  log(what, { em, rougeL, perplexityPerByte, ...more })
}

function log(what: string, numbers: Readonly<Record<string, number>>): void {
  const parts = Object.entries(numbers).map(([name, value]) => `${name} ${value.toFixed(3)}`)
  process.stdout.write(`${what.padEnd(34)} ${parts.join('  ')}\n`)
}
