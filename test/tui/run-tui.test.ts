import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CotuneError } from '#base'
import { runTui } from '../../tui/index.ts'
import { FakePeer } from './fake-peer.ts'
import { FakeTerminal } from './fake-terminal.ts'

describe('runTui on a terminal', () => {
  let terminal: FakeTerminal
  let peer: FakePeer
  let end: AbortController
  let running: Promise<void>
  let quits: number
  let listeners: number

  const start = (options: { readonly color?: boolean; readonly ascii?: boolean } = {}) => {
    running = runTui({
      client: peer,
      stdout: terminal.stdout,
      stdin: terminal.stdin,
      ascii: false,
      color: true,
      onQuit: () => {
        quits += 1
      },
      signal: end.signal,
      ...options,
    })
  }
  const shows = (text: string) =>
    terminal.until((lines) => lines.some((line) => line.includes(text)))

  beforeEach(() => {
    terminal = new FakeTerminal(120, 40)
    peer = new FakePeer()
    end = new AbortController()
    quits = 0
    listeners = process.listenerCount('SIGTERM')
  })

  afterEach(async () => {
    end.abort()
    await running
    expect(process.listenerCount('SIGTERM')).toBe(listeners)
  })

  it('shows the peer in the alternate buffer, on all rows', async () => {
    peer.play()
    start()
    await shows('laptop-mia')
    const lines = await terminal.lines()
    expect(await terminal.alternate()).toBe(true)
    expect(terminal.raw).toBe(true)
    expect(lines[0]).toContain('cloud-peer  LIVE')
    expect(lines[39]).toContain('q quit')
    expect(lines.slice(1, 38).every((line) => /[│╮╯]$/.test(line))).toBe(true)
    expect(terminal.colourAt(0, (lines[0] ?? '').indexOf('LIVE'))).toBe(2)
  })

  it('never clears the screen while events come, and shows one header', async () => {
    start()
    await shows('LIVE')
    const before = terminal.written.length
    for (let i = 0; i < 20; i += 1) {
      peer.log.emit({ type: 'log', level: 'info', component: 'test', message: `line ${i}` })
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    await shows('line 19')
    expect(terminal.written.slice(before)).not.toContain('\u001b[2J')
    const lines = await terminal.lines()
    expect(lines.filter((line) => line.includes('LIVE'))).toHaveLength(1)
  })

  it('takes keys that came in one read', async () => {
    start()
    await shows('LIVE')
    terminal.press('/laptop\rs')
    await shows('Peers 1/4  / laptop  by state')
    terminal.press('\u001b')
    await shows('Peers 4  by state')
    terminal.press('4')
    await shows('What left this node')
    terminal.press('?')
    await shows('Everywhere')
  })

  it('follows every size of the terminal', async () => {
    start()
    await shows('LIVE')
    terminal.resize(84, 24)
    await terminal.until((lines) => lines.length === 24 && lines[23]?.includes('q quit') === true)
    terminal.resize(50, 10)
    await shows('too small')
    terminal.resize(140, 50)
    await terminal.until((lines) => lines[49]?.includes('q quit') === true)
    const lines = await terminal.lines()
    expect(lines.filter((line) => line.includes('LIVE'))).toHaveLength(1)
    expect(lines.some((line) => line.includes('too small'))).toBe(false)
  })

  it('lets no name act on the terminal', async () => {
    const [cloud, atm, ...others] = peer.status.peers
    const name = '\u001b[?1049l\u001b[2J\u001b]0;owned\u0007evil\u202e'
    peer.status = { ...peer.status, peers: [cloud!, { ...atm!, name }, ...others] }
    start()
    await shows('evil')
    expect(terminal.written).not.toContain('owned')
    expect(terminal.written).not.toContain('\u202e')
    expect(await terminal.alternate()).toBe(true)
  })

  it('keeps the last data when the peer goes away, and comes back by itself', async () => {
    start()
    await shows('LIVE')
    peer.fail(new CotuneError('API_UNREACHABLE', 'no peer answers', { hint: 'start it' }))
    await shows('DISCONNECTED')
    expect((await terminal.lines()).join()).toContain('atm-north')
    peer.recover()
    await shows('LIVE')
  })

  it('says what is wrong when there is no peer', async () => {
    peer.fail(new CotuneError('API_UNREACHABLE', 'no peer answers on here', { hint: 'start it' }))
    start()
    await shows('no peer answers on here')
    await shows('cotune daemon')
  })

  it.each([
    ['q', 'q'],
    ['Ctrl-C', '\u0003'],
  ])('%s gives the terminal back and says so once', async (_, keys) => {
    start()
    await shows('LIVE')
    terminal.press(keys)
    await running
    expect(await terminal.alternate()).toBe(false)
    expect(terminal.raw).toBe(false)
    expect(terminal.written.endsWith('\u001b[?1049l')).toBe(true)
    expect(quits).toBe(1)
  })

  it('an abort gives the terminal back but is no quit, even while a call hangs', async () => {
    start()
    await shows('LIVE')
    peer.call = () => new Promise(() => undefined)
    end.abort()
    await running
    expect(await terminal.alternate()).toBe(false)
    expect(quits).toBe(0)
  })

  it('writes no colour when it is told so', async () => {
    start({ color: false })
    await shows('LIVE')
    expect(terminal.written).not.toMatch(/\u001b\[3[0-9]m/)
  })
})

describe('runTui elsewhere', () => {
  const sink = () => {
    const written: string[] = []
    const stdout = { columns: 80, rows: 24, write: (text: string) => written.push(text) }
    return { written, stdout: stdout as unknown as NodeJS.WriteStream }
  }

  it('prints the status as plain text where there is no terminal', async () => {
    const { written, stdout } = sink()
    await runTui({ client: new FakePeer(), stdout })
    const text = written.join('')
    expect(text).not.toContain('\u001b')
    expect(text.split('\n').slice(0, 3)).toEqual([
      'cloud-peer  cloud  ready  cotune 0.1.0, up since 2026-11-21 02:03 UTC',
      'run     run-7f3a91',
      'round   3 of 5 collecting, 1/3 updates, quorum 3',
    ])
    expect(text).toMatch(/^kitchen-7 +device waiting +3 +240 +1\.080 /m)
  })

  it('prints one frame on request', async () => {
    const { written, stdout } = sink()
    await runTui({ client: new FakePeer(), stdout, once: true, screen: 'round', ascii: false })
    expect(written.join('')).toContain('╭─ Round 3 of 5  collecting ─')
    expect(written.join('')).not.toContain('\u001b')
    expect(written.join('').trimEnd().split('\n')).toHaveLength(24)
  })

  it('draws the curves of events that the peer still holds', async () => {
    const { written, stdout } = sink()
    const peer = new FakePeer()
    peer.play()
    peer.status = { ...peer.status, sequence: peer.log.since(0).length }
    await runTui({ client: peer, stdout, once: true, screen: 'loss', ascii: true })
    expect(written.join('')).toContain('Loss devices  1 atm-north 0.792')
  })

  it('fails as the call fails', async () => {
    const peer = new FakePeer()
    peer.fail(new CotuneError('API_UNREACHABLE', 'no peer answers', { hint: 'start it' }))
    await expect(runTui({ client: peer, stdout: sink().stdout })).rejects.toThrow('no peer answers')
  })
})
