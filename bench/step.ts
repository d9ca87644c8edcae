import { spawnSync } from 'node:child_process'
import { packagePath } from '#base'
import type { Bench } from './bench.ts'
import { Contender, type StepReport } from './step/contender.ts'
import { STEP_SHAPE, stepFlops } from './step/shape.ts'

const THREADS = 2
const ROUNDS = 5
/** Steps that a contender takes in one round: the fast one more, so that each round has something to measure. */
const STEPS = { ours: 8, tfjs: 1, pytorch: 2 } as const

interface Result {
  readonly tokensPerSecond: number
  readonly peakRssBytes: number
}

/** One LoRA step: our engine beside TensorFlow.js on WebAssembly and PyTorch, in turns, medians over the rounds. */
export const stepBench: Bench = {
  run: async ({ json }) => {
    const contenders = open()
    const reports = await measure(contenders)
    const result = summarise(reports)
    console.log(json ? JSON.stringify(result) : describe(result))
  },
}

type Name = keyof typeof STEPS
type Contenders = ReadonlyMap<Name, Contender>
type Reports = ReadonlyMap<Name, readonly StepReport[]>

function open(): Contenders {
  const script = (file: string) => [...process.execArgv, packagePath('bench', 'step', file)]
  const node = (name: Name, file: string) =>
    new Contender(name, process.execPath, [...script(file), String(THREADS)])
  const contenders = new Map<Name, Contender>([
    ['ours', node('ours', 'run-ours.ts')],
    ['tfjs', node('tfjs', 'run-tfjs.ts')],
  ])
  const python = findPython()
  if (python) {
    const file = packagePath('bench', 'step', 'run_pytorch.py')
    const args = [file, String(THREADS), JSON.stringify(STEP_SHAPE)]
    contenders.set('pytorch', new Contender('pytorch', python, args))
  }
  return contenders
}

/** A Python that has torch: the one on the path, else the system's. */
function findPython(): string | undefined {
  return ['python3', '/usr/bin/python3'].find(
    (python) => spawnSync(python, ['-c', 'import torch']).status === 0,
  )
}

/** Interleaves the contenders, so that what else the machine does falls on all alike. */
async function measure(contenders: Contenders): Promise<Reports> {
  const reports = new Map([...contenders.keys()].map((name) => [name, [] as StepReport[]]))
  try {
    for (const contender of contenders.values()) await contender.ready()
    for (let round = 0; round < ROUNDS; round++) {
      for (const [name, contender] of contenders) {
        reports.get(name)?.push(await contender.step(STEPS[name]))
      }
    }
  } finally {
    await Promise.all([...contenders.values()].map((contender) => contender.stop()))
  }
  return reports
}

interface Summary {
  readonly schema: 'cotune.bench.step/1'
  readonly shape: Readonly<Record<string, number>>
  readonly ours: Result
  readonly peers: { readonly tfjs: Result; readonly pytorch: Result | null }
  readonly matmulGflops: number
  readonly flopsUtilisation: number
}

function summarise(reports: Reports): Summary {
  const result = (name: Name): Result => {
    const own = reports.get(name) ?? []
    return {
      tokensPerSecond: round(
        (STEP_SHAPE.batch * STEP_SHAPE.length) / median(own.map((report) => report.secondsPerStep)),
      ),
      peakRssBytes: Math.max(...own.map((report) => report.peakRssBytes)),
    }
  }
  const ours = reports.get('ours') ?? []
  const matmulGflops = median(ours.map((report) => report.matmulGflops ?? 0))
  const stepGflops =
    stepFlops(STEP_SHAPE) / median(ours.map((report) => report.secondsPerStep)) / 1e9
  return {
    schema: 'cotune.bench.step/1',
    shape: { ...STEP_SHAPE, threads: THREADS },
    ours: result('ours'),
    peers: { tfjs: result('tfjs'), pytorch: reports.has('pytorch') ? result('pytorch') : null },
    matmulGflops: round(matmulGflops),
    flopsUtilisation: round(stepGflops / matmulGflops),
  }
}

function describe({ ours, peers, matmulGflops, flopsUtilisation }: Summary): string {
  const line = (name: string, peer: Result) =>
    `${name}: ${peer.tokensPerSecond} tokens/s, ${Math.round(peer.peakRssBytes / 2 ** 20)} MiB, ` +
    `ours is ${round(ours.tokensPerSecond / peer.tokensPerSecond)} times as fast`
  return [
    `ours: ${ours.tokensPerSecond} tokens/s, ${Math.round(ours.peakRssBytes / 2 ** 20)} MiB`,
    line('TensorFlow.js (wasm)', peers.tfjs),
    peers.pytorch ? line('PyTorch', peers.pytorch) : 'PyTorch: no python3 with torch',
    `${Math.round(flopsUtilisation * 100)} % of the ${matmulGflops} GFLOPS of one large product`,
  ].join('\n')
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

function round(value: number): number {
  return Number(value.toPrecision(3))
}
