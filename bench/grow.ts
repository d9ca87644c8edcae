import { rm } from 'node:fs/promises'
import { packagePath, writeFileAtomic } from '#base'
import { createModel } from '#learning/models'
import type { Bench } from './bench.ts'
import { Contender } from './contender.ts'
import { stepFlops } from './flops.ts'
import { AXES, type Axis, CENTRE, configOf, type GrowPoint, pointsOf, workOf } from './grow/axes.ts'
import { type Growth, growthOf, type Measured } from './grow/growth.ts'
import { drawPlot } from './grow/plot.ts'
import { parseOptions, wholeNumber } from './options.ts'
import { randomCheckpoint } from './random-checkpoint.ts'
import { rounded } from './rounds.ts'
import { secondsSince } from './serve.ts'
import type { StepSpec } from './step/step-spec.ts'

const LEAST_STEPS = 5
const SECONDS_EACH = 2

interface AxisResult {
  readonly points: readonly Measured[]
  readonly time: Growth
  readonly memory: Growth
}

/** How a step's time and peak memory grow with each size, beside how its arithmetic does. */
export const growBench: Bench = {
  run: async ({ json, args }) => {
    const values = parseOptions(args, {
      threads: { type: 'string', default: '2' },
      plot: { type: 'string', default: packagePath('docs', 'images', 'grow.svg') },
    })
    const threads = wholeNumber('threads', values.threads)
    const axes = await measureAxes(threads)
    await writeFileAtomic(values.plot, draw(axes))
    const { plot } = values
    const summary = { schema: 'cotune.bench.grow/1', centre: CENTRE, threads, axes, plot }
    console.log(json ? JSON.stringify(summary) : describe(axes))
  },
}

type Axes = Readonly<Record<Axis, AxisResult>>

async function measureAxes(threads: number): Promise<Axes> {
  const known = new Map<string, Omit<Measured, 'value'>>()
  const results: Partial<Record<Axis, AxisResult>> = {}
  for (const axis of Object.keys(AXES) as Axis[]) {
    const points: Measured[] = []
    for (const point of pointsOf(axis)) {
      const key = JSON.stringify(point)
      const measured = known.get(key) ?? (await measure(point, threads))
      known.set(key, measured)
      points.push({ value: point[axis], ...measured })
    }
    results[axis] = {
      points,
      time: growthOf(points, ({ seconds }) => seconds),
      memory: growthOf(points, ({ peakRssBytes }) => peakRssBytes),
    }
  }
  return results as Axes
}

/** In a process of its own, whose peak is this point's; the quickest step is the one that nothing else disturbed. */
async function measure(point: GrowPoint, threads: number): Promise<Omit<Measured, 'value'>> {
  const config = configOf(point)
  const work = workOf(point)
  const folder = await randomCheckpoint('grow', config)
  const spec: StepSpec = {
    ...work,
    folder,
    alpha: 16,
    learningRate: 1e-3,
    threads,
    base: 'float32',
  }
  const contender = Contender.node('ours', ['step', 'run-ours.ts'], spec)
  try {
    await contender.ready()
    const start = performance.now()
    let seconds = Number.POSITIVE_INFINITY
    let peakRssBytes = 0
    for (let step = 0; step < LEAST_STEPS || secondsSince(start) < SECONDS_EACH; step++) {
      const report = await contender.work(1)
      seconds = Math.min(seconds, report.seconds)
      peakRssBytes = report.peakRssBytes
    }
    const gflop = rounded(stepFlops(createModel(config), work) / 1e9)
    return { gflop, seconds: rounded(seconds), peakRssBytes }
  } finally {
    await contender.stop()
    await rm(folder, { recursive: true })
  }
}

function draw(axes: Axes): string {
  const series = (value: (point: Measured) => number) =>
    Object.entries(axes).map(([name, { points }]) => ({
      name: `${name} ${points[0]?.value} to ${points.at(-1)?.value}`,
      points: points.map((point) => [point.gflop, value(point)] as const),
    }))
  return drawPlot(
    'How the time and the peak memory of a training step grow with its arithmetic',
    'arithmetic of a step, GFLOP; dashed: in proportion to it',
    [
      { title: 'Time of a step', yLabel: 'milliseconds', series: series((p) => p.seconds * 1e3) },
      { title: 'Peak memory', yLabel: 'megabytes', series: series((p) => p.peakRssBytes / 1e6) },
    ],
  )
}

function describe(axes: Axes): string {
  return Object.entries(axes)
    .flatMap(([axis, { points, time, memory }]) => [
      axis,
      ...points.map(
        ({ value, gflop, seconds, peakRssBytes }) =>
          `  ${String(value).padStart(6)}  ${gflop} GFLOP  ${rounded(seconds * 1e3)} ms  ${Math.round(peakRssBytes / 1e6)} MB`,
      ),
      `  time grows as arithmetic^${time.exponent}: ${time.overall} times as much over all, ${time.lastStep} in the last step`,
      `  memory grows as arithmetic^${memory.exponent}: ${memory.overall} over all, ${memory.lastStep} in the last step`,
    ])
    .join('\n')
}
