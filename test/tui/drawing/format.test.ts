import { expect, it } from 'vitest'
import {
  age,
  bytes,
  clockTime,
  count,
  duration,
  loss,
  percent,
} from '../../../tui/drawing/format.ts'

it('writes sizes with three digits', () => {
  expect([0, 999, 1_000, 41_236, 999_499, 999_500, 1_314_612].map(bytes)).toEqual([
    '0 B',
    '999 B',
    '1.00 kB',
    '41.2 kB',
    '999 kB',
    '1.00 MB',
    '1.31 MB',
  ])
  expect([7, 1_204, 8_912_000].map(count)).toEqual(['7', '1.20 k', '8.91 M'])
})

it('writes times', () => {
  expect([-1, 48_000, 725_000, 10_930_000].map(duration)).toEqual([
    '0:00',
    '0:48',
    '12:05',
    '3:02:10',
  ])
  expect([500, 59_999, 60_000, 3_600_000, 86_400_000].map(age)).toEqual([
    '0s',
    '59s',
    '1m',
    '1h',
    '1d',
  ])
  expect(clockTime(Date.UTC(2026, 10, 21, 2, 3, 4))).toBe('02:03:04')
})

it('writes losses in six characters, also those that are no number', () => {
  expect([1.3284, 12.345, 123.45, 12_345, 0.00012, 0, Number.NaN, Infinity].map(loss)).toEqual([
    '1.328',
    '12.35',
    '123.5',
    '12345',
    '1e-4',
    '0.000',
    'NaN',
    'inf',
  ])
  expect(percent(0.0314)).toBe('3.1 %')
})
