import { expect, it } from 'vitest'
import { EXIT } from '#base'
import { untilSignal } from '../../cli/stop-on-signal.ts'
import { fakeIo } from './fake-io.ts'

function context() {
  const { io, written } = fakeIo()
  const outcome = { exitCode: EXIT.ok as number }
  const setExitCode = (exitCode: number) => {
    outcome.exitCode = exitCode
  }
  return { given: { io, setExitCode }, written, outcome }
}

it('says that a signal stopped the work, and exits with its code', async () => {
  const { given, written, outcome } = context()
  const work = untilSignal(async (signal) => {
    process.emit('SIGINT', 'SIGINT')
    signal.throwIfAborted()
    return 'done'
  }, given)
  expect(await work).toBeUndefined()
  expect({ ...outcome, ...written }).toEqual({ exitCode: 130, stdout: '', stderr: 'stopped\n' })
})

it('gives what the work comes to, throws what it throws, and then leaves signals alone', async () => {
  const { given, outcome } = context()
  const before = process.listenerCount('SIGINT')
  expect(await untilSignal(async () => 'done', given)).toBe('done')
  const failing = untilSignal(async () => Promise.reject(new Error('broken')), given)
  await expect(failing).rejects.toThrow('broken')
  expect(outcome.exitCode).toBe(EXIT.ok)
  expect(process.listenerCount('SIGINT')).toBe(before)
})
