import { rm } from 'node:fs/promises'
import { packagePath, writeFileAtomic } from '#base'
import { createModel } from '#learning/models'
import type { Bench } from './bench.ts'
import { Contender, type Report } from './contender.ts'
import { stepFlops } from './flops.ts'
import { AXES, type Axis, CENTRE, configOf, type GrowPoint, pointsOf, workOf } from './grow/axes.ts'
import { type Growth, growthOf, type Measured } from './grow/growth.ts'
import { drawPlot } from './grow/plot.ts'
import { parseOptions, wholeNumber } from './options.ts'
import { randomCheckpoint } from './random-checkpoint.ts'
import { rounded } from './rounds.ts'
import { secondsSince } from './serve.ts'
import type { StepSpec } from './step/step-spec.ts'

/** So many that a long step, too, falls into a quiet moment. */
const LEAST_ROUNDS = 9
const SECONDS_A_POINT = 5

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
  const results: Partial<Record<Axis, AxisResult>> = {}
  for (const axis of Object.keys(AXES) as Axis[]) {
    const points = await measureAxis(axis, threads)
    results[axis] = {
      points,
      time: growthOf(points, ({ seconds }) => seconds),
      memory: growthOf(points, ({ peakRssBytes }) => peakRssBytes),
    }
  }
  return results as Axes
}

/**
 * Each point in a process of its own, whose peak is the point's, a step each in turn. The quickest step counts: the one that nothing
 * else disturbed.
 */
async function measureAxis(axis: Axis, threads: number): Promise<readonly Measured[]> {
  const started: { contender: Contender; reports: Report[] }[] = []
  const points = pointsOf(axis)
  try {
    for (const point of points) {
      const folder = await randomCheckpoint('grow', configOf(point))
      const contender = Contender.node(
        'ours',
        ['step', 'run-ours.ts'],
        specOf(point, folder, threads),
      )
      started.push({ contender, reports: [] })
      await contender.ready()
      await rm(folder, { recursive: true })
    }
    const start = performance.now()
    const enough = SECONDS_A_POINT * points.length
    for (let round = 0; round < LEAST_ROUNDS || secondsSince(start) < enough; round++)
      for (const { contender, reports } of started) reports.push(await contender.work(1))
  } finally {
    await Promise.all(started.map(({ contender }) => contender.stop()))
  }
  return points.map((point, index) => measuredOf(point, axis, started[index]!.reports))
}

function specOf(point: GrowPoint, folder: string, threads: number): StepSpec {
  return { ...workOf(point), folder, alpha: 16, learningRate: 1e-3, threads, base: 'float32' }
}

function measuredOf(point: GrowPoint, axis: Axis, reports: readonly Report[]): Measured {
  return {
    value: point[axis],
    gflop: rounded(stepFlops(createModel(configOf(point)), workOf(point)) / 1e9),
    seconds: rounded(Math.min(...reports.map(({ seconds }) => seconds))),
    peakRssBytes: Math.max(...reports.map(({ peakRssBytes }) => peakRssBytes)),
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
