import { readFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { CotuneError } from '#base'
import type { Recompute } from '#engine'
import { fitStep } from '#learning/fit'
import { type BasePrecision, createModel, type HfConfig, openCheckpoint } from '#learning/models'
import type { Bench } from './bench.ts'
import { QUERY_AND_VALUE, type Trained } from './flops.ts'
import { bytesFrom, oneOf, parseOptions, shapeOf, wholeNumber } from './options.ts'
import { randomCheckpoint } from './random-checkpoint.ts'
import { takeTurns } from './rounds.ts'
import { stepContenders } from './step/contenders.ts'
import { trainCurve } from './step/curve.ts'
import type { StepSpec } from './step/step-spec.ts'
import { describe, summarise } from './step/summary.ts'

/** Many and long enough that a run's ratio stands: that of a single round moves by an eighth here. */
const ROUNDS = 9
const SECONDS_EACH = 4
const MODES: readonly Recompute[] = ['none', 'activations', 'layers']
const BASES: readonly BasePrecision[] = ['float32', 'int8', 'int4']
/** Who takes fewer bits has little memory. */
const MODE_OF = { float32: 'none', int8: 'activations', int4: 'layers' } as const

/** One training step: ours beside PyTorch (and TensorFlow.js) from the same weights, in turns. */
export const stepBench: Bench = {
  run: async ({ json, args }) => {
    const options = parseStepOptions(args)
    const { shape, spec } = await openShape(options)
    const { starts, leftOut } = stepContenders(spec, { peers: options.peers, shape })
    const taken = await takeTurns(starts, { rounds: options.rounds, secondsEach: SECONDS_EACH })
    const config = JSON.parse(await readFile(join(spec.folder, 'config.json'), 'utf8')) as HfConfig
    const model = createModel(config)
    const { limitBytes } = options
    const measured = summarise({ spec, model, shape, taken, leftOut, limitBytes })
    const curve =
      options.curveSteps &&
      (await trainCurve(spec, options.curveSteps, { text: options.text, onStep: logStep }))
    const summary = curve ? { ...measured, curve } : measured
    console.log(json ? JSON.stringify(summary) : describe(summary))
    if (summary.memory?.within === false) process.exitCode = 1
  },
}

interface StepOptions {
  readonly shape: string
  /** A real checkpoint in place of random weights. */
  readonly checkpoint: string | undefined
  readonly trained: Trained
  /** With a limit of memory and none of these, they are what `model fit` says. */
  readonly base: BasePrecision | undefined
  readonly recompute: Recompute | undefined
  readonly packWeights: boolean
  readonly limitBytes: number | undefined
  readonly batch: number | undefined
  readonly length: number | undefined
  readonly rounds: number
  readonly threads: number
  readonly peers: boolean
  /** Steps to train on text with the base and with float32; none unless told. */
  readonly curveSteps: number | undefined
  readonly text: readonly string[] | undefined
}

/** @throws CotuneError BENCH_OPTION */
export function parseStepOptions(args: readonly string[]): StepOptions {
  const values = parseOptions(args, {
    shape: { type: 'string', default: 'smollm2-135m' },
    checkpoint: { type: 'string' },
    targets: { type: 'string', default: 'all' },
    full: { type: 'boolean', default: false },
    base: { type: 'string' },
    recompute: { type: 'string' },
    'no-pack': { type: 'boolean', default: false },
    memory: { type: 'string' },
    batch: { type: 'string' },
    length: { type: 'string' },
    rounds: { type: 'string', default: String(ROUNDS) },
    threads: { type: 'string', default: '2' },
    curve: { type: 'string' },
    text: { type: 'string' },
    'no-peers': { type: 'boolean', default: false },
  })
  const targets = oneOf('targets', values.targets, ['all', 'qv'])
  const base = values.base === undefined ? undefined : oneOf('base', values.base, BASES)
  if (values.full && base !== undefined && base !== 'float32')
    throw new CotuneError('BENCH_OPTION', 'what is trained wholly is float32', {
      hint: 'Leave out --full or --base.',
      exit: 2,
    })
  const { memory, batch, length, curve, text } = values
  return {
    shape: values.shape,
    checkpoint: values.checkpoint,
    trained: values.full ? 'full' : targets,
    base,
    recompute:
      values.recompute === undefined ? undefined : oneOf('recompute', values.recompute, MODES),
    packWeights: !values['no-pack'],
    limitBytes: memory === undefined ? undefined : bytesFrom('memory', memory),
    batch: batch === undefined ? undefined : wholeNumber('batch', batch),
    length: length === undefined ? undefined : wholeNumber('length', length),
    rounds: wholeNumber('rounds', values.rounds),
    threads: wholeNumber('threads', values.threads),
    // What fits into a small memory is our concern alone; the peers read no checkpoint but ours.
    peers: !values['no-peers'] && memory === undefined && values.checkpoint === undefined,
    curveSteps: curve === undefined ? undefined : wholeNumber('curve', curve),
    text: text === undefined ? undefined : [resolve(text)],
  }
}

async function openShape(
  options: StepOptions,
): Promise<{ readonly shape: string; readonly spec: StepSpec }> {
  const { checkpoint, trained, base = 'float32', threads } = options
  const recompute = options.recompute ?? MODE_OF[base]
  // As in the first of the ways that `model fit` lists.
  const isQuickest = trained !== 'full' && base === 'float32' && recompute === 'none'
  const known = checkpoint === undefined ? shapeOf(options.shape) : undefined
  const spec: StepSpec = {
    folder: known ? await randomCheckpoint(known.name, known.config) : resolve(checkpoint!),
    batch: options.batch ?? known?.batch ?? 4,
    length: options.length ?? known?.length ?? 128,
    trained,
    rank: 8,
    alpha: 16,
    learningRate: 1e-3,
    threads,
    base,
    recompute,
    packWeights: isQuickest && options.packWeights,
  }
  const shape = known?.name ?? basename(spec.folder)
  const isTold = options.base !== undefined || options.recompute !== undefined
  if (options.limitBytes === undefined || isTold || !options.packWeights) return { shape, spec }
  return { shape, spec: { ...spec, ...(await fitted(spec, options.limitBytes)) } }
}

/** The settings that `cotune model fit` names for a memory. */
async function fitted(
  { folder, batch, length, rank, trained }: StepSpec,
  memoryBytes: number,
): Promise<Pick<StepSpec, 'base' | 'packWeights' | 'recompute' | 'batch'>> {
  const checkpoint = await openCheckpoint(folder)
  const targets = trained === 'qv' ? { targets: QUERY_AND_VALUE } : {}
  const train = trained === 'full' ? ('full' as const) : ('lora' as const)
  const { best } = fitStep({ checkpoint, train, memoryBytes, batch, length, rank, ...targets })
  if (!best)
    throw new CotuneError('BENCH_OPTION', `no settings fit into ${memoryBytes} bytes`, {
      hint: 'cotune model fit says what would.',
      exit: 2,
    })
  const { precision: base, packWeights, recompute } = best
  return { base, packWeights, recompute, batch: best.batch }
}

function logStep(step: number, [base, float32]: readonly number[]): void {
  if (step % 10 === 0)
    console.error(`step ${step}: loss ${base?.toFixed(3)}, in float32 ${float32?.toFixed(3)}`)
}
