import { type CausalModel, countParameters } from '#learning/models'
import type { Report } from '../contender.ts'
import { stepFlops } from '../flops.ts'
import { medianOf, type Rounds, rounded, speedRatio } from '../rounds.ts'
import { MATMUL_SIZE } from './contenders.ts'
import type { Curve } from './curve.ts'
import type { StepSpec } from './step-spec.ts'

/** One contender's row. */
export interface StepResult {
  readonly tokensPerSecond: number
  readonly secondsPerStep: number
  readonly peakRssBytes: number
  /** Before anything was learnt: equal for all, who start from the same weights. */
  readonly firstLoss: number
  /** Of the last step taken. */
  readonly loss: number
  readonly version?: string
}

export interface StepSummary {
  readonly schema: 'cotune.bench.step/3'
  readonly shape: Readonly<Record<string, number | string>>
  readonly ours: StepResult
  readonly peers: Readonly<Record<string, StepResult>>
  /** How many times as fast ours was: tokens per second over the peer's, round by round. */
  readonly ratios: Readonly<Record<string, number>>
  readonly leftOut: Readonly<Record<string, string>>
  readonly usefulGflopPerStep: number
  /** One large product: on average, and the quickest. */
  readonly matmul: {
    readonly size: number
    readonly gflops: number
    readonly bestGflops: number
  }
  /** Useful operations per second over those of the large product, both on average over rounds of equal length. */
  readonly arithmeticUtilisation: number
  /** The same against the quickest product of each round: what other machines take from ours counts as waste. */
  readonly utilisationOfBest: number
  readonly curve?: Curve
  readonly memory?: { readonly limitBytes: number; readonly within: boolean }
}

export interface SummaryInit {
  readonly spec: StepSpec
  readonly model: CausalModel
  readonly shape: string
  readonly taken: ReadonlyMap<string, Rounds>
  readonly leftOut: Readonly<Record<string, string>>
  readonly limitBytes?: number | undefined
}

export function summarise(init: SummaryInit): StepSummary {
  const { spec, model, taken, limitBytes } = init
  const ours = taken.get('ours')!
  const matmul = taken.get('matmul')!
  const others = [...taken].filter(([name]) => name !== 'ours' && name !== 'matmul')
  const tokens = spec.batch * spec.length
  const flops = stepFlops(model, spec)
  const matmulFlops = 2 * MATMUL_SIZE ** 3
  const own = resultOf(ours, tokens)
  const mean = (report: Report) => report.seconds
  const best = (report: Report) => report.bestSeconds ?? Number.NaN
  const gflopsOf = (seconds: number) => rounded(matmulFlops / seconds / 1e9)
  const utilisation = (product: (report: Report) => number) =>
    rounded((speedRatio(ours, matmul, mean, product) * flops) / matmulFlops)
  return {
    schema: 'cotune.bench.step/3',
    shape: describeShape(init),
    ours: own,
    peers: Object.fromEntries(others.map(([name, rounds]) => [name, resultOf(rounds, tokens)])),
    ratios: Object.fromEntries(
      others.map(([name, rounds]) => [name, rounded(speedRatio(ours, rounds))]),
    ),
    leftOut: init.leftOut,
    usefulGflopPerStep: rounded(flops / 1e9),
    matmul: {
      size: MATMUL_SIZE,
      gflops: gflopsOf(medianOf(matmul, mean)),
      bestGflops: gflopsOf(medianOf(matmul, best)),
    },
    arithmeticUtilisation: utilisation(mean),
    utilisationOfBest: utilisation(best),
    ...(limitBytes === undefined
      ? {}
      : { memory: { limitBytes, within: own.peakRssBytes <= limitBytes } }),
  }
}

function resultOf(rounds: Rounds, tokens: number): StepResult {
  const seconds = medianOf(rounds, (report) => report.seconds)
  const { firstLoss = Number.NaN, version } = rounds.ready
  return {
    tokensPerSecond: rounded(tokens / seconds),
    secondsPerStep: rounded(seconds),
    peakRssBytes: Math.max(...rounds.reports.map((report) => report.peakRssBytes)),
    firstLoss,
    loss: rounds.reports.at(-1)?.loss ?? Number.NaN,
    ...(version === undefined ? {} : { version }),
  }
}

function describeShape({
  spec,
  model,
  shape,
}: SummaryInit): Readonly<Record<string, number | string>> {
  const { config } = model
  return {
    name: shape,
    parameters: countParameters(model),
    vocabulary: config.vocabularySize,
    hidden: config.hiddenSize,
    layers: config.layers,
    heads: config.heads,
    keyValueHeads: config.keyValueHeads,
    mlp: config.intermediateSize,
    batch: spec.batch,
    length: spec.length,
    supervisedRows: spec.batch * spec.length,
    trained: spec.trained,
    rank: spec.trained === 'full' ? 0 : spec.rank,
    base: spec.base,
    recompute: spec.recompute ?? 'none',
    packedWeights: spec.packWeights || spec.base !== 'float32' ? 'yes' : 'no',
    threads: spec.threads,
  }
}

/** For people. */
export function describe(summary: StepSummary): string {
  const { curve, ours, peers, ratios, matmul, leftOut, shape, memory } = summary
  const row = (name: string, result: StepResult) =>
    [
      name.padEnd(8),
      `${result.tokensPerSecond} tokens/s`.padStart(16),
      `${Math.round(result.peakRssBytes / 1e6)} MB`.padStart(9),
      `loss ${result.firstLoss.toFixed(4)} -> ${result.loss.toFixed(4)}`,
      name in ratios ? `ours is ${ratios[name]} times as fast` : '',
      result.version ?? '',
    ].join('  ')
  return [
    `${shape.name}, ${shape.batch} x ${shape.length}, trained: ${shape.trained}, base ${shape.base}, ${shape.threads} threads`,
    row('ours', ours),
    ...Object.entries(peers).map(([name, result]) => row(name, result)),
    ...Object.entries(leftOut).map(([name, reason]) => `${name} left out: ${reason}`),
    `${Math.round(summary.arithmeticUtilisation * 100)} % of the ${matmul.gflops} GFLOPS of one product of ${matmul.size} ` +
      `(${Math.round(summary.utilisationOfBest * 100)} % of ${matmul.bestGflops} at its quickest), ` +
      `${summary.usefulGflopPerStep} useful GFLOP a step`,
    ...(curve ? describeCurve(curve) : []),
    ...(memory
      ? [`peak ${memory.within ? 'within' : 'above'} the ${memory.limitBytes / 1e9} GB given`]
      : []),
  ].join('\n')
}

function describeCurve({ steps, points, maxRelativeDifference }: Curve): readonly string[] {
  const [first, last] = [points[0]!, points.at(-1)!]
  return [
    `${steps} steps on text: loss ${first[1].toFixed(3)} -> ${last[1].toFixed(3)}, in float32 ${first[2].toFixed(3)} -> ${last[2].toFixed(3)}`,
    `  at most ${(100 * maxRelativeDifference).toFixed(2)} % apart (means of ten steps)`,
  ]
}
