import { expect, it } from 'vitest'
import { closeOnFailure } from '#base'

const failing = async (): Promise<never> => {
  throw new Error('the rest')
}

it('leaves open what the rest went well with', async () => {
  const opened = { close: () => expect.unreachable('it was closed') }
  expect(await closeOnFailure(opened, async () => 'done')).toBe('done')
})

it('closes it when the rest fails, and says what failed even if closing does too', async () => {
  let closed = 0
  const close = async () => {
    closed++
    throw new Error('closing')
  }
  await expect(closeOnFailure({ close }, failing)).rejects.toThrow('the rest')
  expect(closed).toBe(1)
})
