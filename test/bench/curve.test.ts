import { expect, it } from 'vitest'
import { compareCurves } from '../../bench/step/curve.ts'

const falling = Array.from({ length: 30 }, (_, step) => 10 - step / 10)

it('compares means of ten steps, and keeps every tenth', () => {
  const { points, maxRelativeDifference, steps } = compareCurves(falling, falling)
  expect(steps).toBe(30)
  expect(points.map(([step]) => step)).toEqual([10, 20, 30])
  expect(points[0]?.[1]).toBeCloseTo(9.55, 10)
  expect(maxRelativeDifference).toBe(0)
})

it('finds where they are furthest apart', () => {
  const off = falling.map((loss, step) => (step >= 20 ? loss * 1.02 : loss))
  expect(compareCurves(off, falling).maxRelativeDifference).toBeCloseTo(0.02, 10)
})

it('lets no single batch decide', () => {
  const off = falling.map((loss, step) => (step === 15 ? loss * 1.05 : loss))
  expect(compareCurves(off, falling).maxRelativeDifference).toBeLessThan(0.006)
})
