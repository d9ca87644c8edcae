import { expect, it } from 'vitest'
import { relativeError } from '../../../learning/verify/relative-error.ts'

it.each([
  [[1, 2, -4], [1, 2, -4], 0],
  [[1, 2, -3.9], [1, 2, -4], 0.025],
  [[0.1, -4], [0, -4], 0.025],
  [[0, 0], [0, 0], 0],
  [[1e-9], [0], Infinity],
  [[Number.NaN, 1], [1, 1], Infinity],
  [[1], [1, 1], Infinity],
])('of %j to %j is %d', (row, recorded, expected) => {
  expect(relativeError(row, recorded)).toBeCloseTo(expected, 12)
})
