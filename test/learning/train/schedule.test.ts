import { expect, it } from 'vitest'
import { linearSchedule } from '#learning/train'

it('warms up to the peak, then decays to the floor and stays there', () => {
  const schedule = linearSchedule(10, 4, 0.1)
  expect([0, 1, 2, 3].map(schedule)).toEqual([0.25, 0.5, 0.75, 1])
  expect(schedule(4)).toBe(1)
  expect(schedule(7)).toBeCloseTo(0.55)
  expect(schedule(10)).toBeCloseTo(0.1)
  expect(schedule(1_000)).toBeCloseTo(0.1)
})

it('needs no warm-up', () => {
  expect([0, 5, 10].map(linearSchedule(10, 0))).toEqual([1, 0.5, 0])
  expect(linearSchedule(0, 0)(3)).toBe(0)
})

it('never exceeds the peak, though the warm-up be no whole number of steps', () => {
  const schedule = linearSchedule(65, 6.5)
  expect(Math.max(...Array.from({ length: 65 }, (_, step) => schedule(step)))).toBe(1)
})
