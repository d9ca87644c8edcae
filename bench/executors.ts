import type { Bench } from './bench.ts'
import { Contender } from './contender.ts'
import { parseOptions, shapeOf, wholeNumber } from './options.ts'
import { randomCheckpoint } from './random-checkpoint.ts'
import { medianOf, type Rounds, rounded, speedRatio, takeTurns } from './rounds.ts'
import type { BenchShape } from './shapes.ts'
import type { StepSpec } from './step/step-spec.ts'

const SECONDS_EACH = 2
const EXECUTORS = ['onnxruntime', 'tensorflow'] as const

/** One training step, the same program from the same weights in both executors, in turns: what `engine.executor` costs. */
export const executorsBench: Bench = {
  run: async ({ json, args }) => {
    const options = parseOptions(args, {
      shape: { type: 'string', default: '5m' },
      batch: { type: 'string' },
      rounds: { type: 'string', default: '3' },
      threads: { type: 'string', default: '2' },
    })
    const shape = shapeOf(options.shape)
    const batch = options.batch === undefined ? shape.batch : wholeNumber('batch', options.batch)
    const spec = await specOf({ ...shape, batch }, wholeNumber('threads', options.threads))
    const taken = await takeTurns(
      new Map(
        EXECUTORS.map((executor) => [
          executor,
          () => Contender.node(executor, ['step', 'run-executor.ts'], { ...spec, executor }),
        ]),
      ),
      { rounds: wholeNumber('rounds', options.rounds), secondsEach: SECONDS_EACH },
    )
    const tokens = spec.batch * spec.length
    const [ours, theirs] = EXECUTORS.map((name) => taken.get(name)!) as [Rounds, Rounds]
    const summary = {
      schema: 'cotune.bench.executors/1',
      shape: shape.name,
      batch: spec.batch,
      length: spec.length,
      threads: spec.threads,
      onnxruntime: rowOf(ours, tokens),
      tensorflow: rowOf(theirs, tokens),
      /** How many times as fast ONNX Runtime was. */
      ratio: rounded(speedRatio(ours, theirs)),
    }
    console.log(json ? JSON.stringify(summary) : describe(summary))
  },
}

async function specOf(shape: BenchShape, threads: number): Promise<StepSpec> {
  return {
    folder: await randomCheckpoint(shape.name, shape.config),
    batch: shape.batch,
    length: shape.length,
    trained: 'all',
    rank: 8,
    alpha: 16,
    learningRate: 1e-3,
    threads,
    base: 'float32',
  }
}

function rowOf(rounds: Rounds, tokens: number) {
  return {
    /** The provider or backend it ran on. */
    on: rounds.ready.version,
    tokensPerSecond: rounded(tokens / medianOf(rounds, ({ seconds }) => seconds)),
    firstLoss: rounds.ready.firstLoss,
    peakRssBytes: Math.max(...rounds.reports.map(({ peakRssBytes }) => peakRssBytes)),
  }
}

type Row = ReturnType<typeof rowOf>

function describe(summary: {
  readonly onnxruntime: Row
  readonly tensorflow: Row
  readonly ratio: number
}): string {
  const line = (name: (typeof EXECUTORS)[number]) => {
    const { on, tokensPerSecond, firstLoss = Number.NaN } = summary[name]
    return `${name} (${on}): ${tokensPerSecond} tokens/s, first loss ${firstLoss.toFixed(4)}`
  }
  return [...EXECUTORS.map(line), `onnxruntime is ${summary.ratio} times as fast`].join('\n')
}
