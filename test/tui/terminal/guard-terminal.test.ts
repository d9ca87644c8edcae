import { EventEmitter } from 'node:events'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { guardTerminal } from '../../../tui/terminal/guard-terminal.ts'

class FakeProcess extends EventEmitter {
  readonly pid = 4_711
  readonly kills: string[] = []
  kill(pid: number, signal: NodeJS.Signals): void {
    this.kills.push(`${signal} ${pid}`)
  }
}

describe('guardTerminal', () => {
  let fake: FakeProcess
  let calls: string[]
  const guard = () =>
    guardTerminal({
      process: fake,
      enter: () => calls.push('enter'),
      leave: () => calls.push('leave'),
      onSignal: (signal) => calls.push(signal),
    })

  beforeEach(() => {
    fake = new FakeProcess()
    calls = []
  })

  it.each(['exit', 'uncaughtExceptionMonitor'])('restores the terminal on %s', (event) => {
    guard()
    fake.emit(event)
    expect(calls).toEqual(['leave'])
  })

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('restores first, then dies of %s', (signal) => {
    guard()
    fake.emit(signal)
    expect(calls).toEqual(['leave', signal])
    expect(fake.kills).toEqual([`${signal} 4711`])
  })

  it('leaves the end to those who listen for the signal too', () => {
    guard()
    const other = vi.fn()
    fake.on('SIGTERM', other)
    fake.emit('SIGTERM')
    expect(calls).toEqual(['leave', 'SIGTERM'])
    expect(other).toHaveBeenCalledOnce()
    expect(fake.kills).toEqual([])
  })

  it('stops the whole job and comes back when it is continued', () => {
    guard().suspend()
    expect(calls).toEqual(['leave'])
    expect(fake.kills).toEqual(['SIGTSTP 0'])
    fake.emit('SIGCONT')
    fake.emit('SIGCONT')
    expect(calls).toEqual(['leave', 'enter'])
  })

  it('comes back by itself where nothing can stop it', () => {
    vi.useFakeTimers()
    try {
      guard().suspend()
      vi.advanceTimersByTime(1_000)
      expect(calls).toEqual(['leave', 'enter'])
    } finally {
      vi.useRealTimers()
    }
  })

  it('lets go of everything', () => {
    guard().release()
    expect(fake.eventNames()).toEqual([])
  })
})
