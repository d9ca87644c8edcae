import { rounded } from '../rounds.ts'

/** What was measured at a point. */
export interface Measured {
  readonly value: number
  readonly gflop: number
  readonly seconds: number
  readonly peakRssBytes: number
}

/** How something grew compared with the arithmetic: 1 is alike, less is slower. */
export interface Growth {
  /** Exponent e of y ~ arithmetic^e, by least squares over all points. */
  readonly exponent: number
  /** (y last / y first) / (arithmetic last / arithmetic first). */
  readonly overall: number
  /** The same from the last point but one to the last, where fixed costs flatter least. */
  readonly lastStep: number
}

/** @param points small to large, two at least */
export function growthOf(points: readonly Measured[], value: (point: Measured) => number): Growth {
  const between = (from: Measured, to: Measured) =>
    value(to) / value(from) / (to.gflop / from.gflop)
  const x = points.map(({ gflop }) => Math.log(gflop))
  const y = points.map((point) => Math.log(value(point)))
  return {
    exponent: rounded(slope(x, y)),
    overall: rounded(between(points[0]!, points.at(-1)!)),
    lastStep: rounded(between(points.at(-2)!, points.at(-1)!)),
  }
}

function slope(x: readonly number[], y: readonly number[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, v) => sum + v) / values.length
  const [x0, y0] = [mean(x), mean(y)]
  const products = x.map((value, i) => (value - x0) * (y[i]! - y0))
  const squares = x.map((value) => (value - x0) ** 2)
  return mean(products) / mean(squares)
}
