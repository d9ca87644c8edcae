import { describe, expect, it } from 'vitest'
import { createModel } from '#learning/models'
import { stepFlops } from '../../bench/flops.ts'
import { AXES, type Axis, configOf, pointsOf, workOf } from '../../bench/grow/axes.ts'
import { growthOf } from '../../bench/grow/growth.ts'
import { drawPlot } from '../../bench/grow/plot.ts'

describe.each(Object.keys(AXES) as Axis[])('the axis %s', (axis) => {
  it('goes from small to large and is at least four times the arithmetic or the size', () => {
    const gflop = pointsOf(axis).map((point) =>
      stepFlops(createModel(configOf(point)), workOf(point)),
    )
    expect(gflop).toEqual([...gflop].sort((a, b) => a - b))
    expect(AXES[axis].at(-1)! / AXES[axis][0]!).toBeGreaterThanOrEqual(4)
  })
})

describe('growthOf', () => {
  const points = (power: number) =>
    [1, 2, 4, 8].map((gflop) => ({
      value: gflop,
      gflop,
      seconds: 3 * gflop ** power,
      peakRssBytes: 100,
    }))

  it('is 1 where something grows in proportion to the arithmetic', () => {
    const growth = growthOf(points(1), ({ seconds }) => seconds)
    expect(growth).toEqual({ exponent: 1, overall: 1, lastStep: 1 })
  })

  it('is more where it grows faster, less where it stays', () => {
    const square = growthOf(points(2), ({ seconds }) => seconds)
    expect(square).toEqual({ exponent: 2, overall: 8, lastStep: 2 })
    const constant = growthOf(points(1), ({ peakRssBytes }) => peakRssBytes)
    expect(constant).toEqual({ exponent: 0, overall: 0.125, lastStep: 0.5 })
  })
})

it('draws a line of marks a series, in a frame with ticks', () => {
  const series = [
    { name: 'one', points: [[1, 10] as const, [100, 1_000] as const] },
    { name: 'two', points: [[10, 100] as const] },
  ]
  const panel = { title: 'Time', yLabel: 'ms', series }
  const svg = drawPlot('title', 'GFLOP', [panel])
  expect(svg.match(/<polyline/g)).toHaveLength(2)
  expect(svg).toContain('>100</text>')
  // In proportion from corner to corner: the points lie on the dashed line.
  const [, x2, y2] = /class="alike".* x2="([\d.]+)" y2="([\d.]+)"/.exec(svg)!
  expect([Number(x2), Number(y2)]).toEqual([420, 56])
  const [, ends] = /<polyline points="([^"]+)"/.exec(svg)!
  const [[x0, y0], [x1, y1]] = ends!.split(' ').map((p) => p.split(',').map(Number)) as [
    [number, number],
    [number, number],
  ]
  expect((y0 - y1) / (x1 - x0)).toBeCloseTo(280 / 350, 2)
})
