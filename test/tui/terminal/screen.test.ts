import { beforeEach, describe, expect, it } from 'vitest'
import { Screen } from '../../../tui/terminal/screen.ts'
import { FakeTerminal } from '../fake-terminal.ts'

describe('Screen', () => {
  let terminal: FakeTerminal
  let screen: Screen
  let resizes: number

  beforeEach(() => {
    resizes = 0
    terminal = new FakeTerminal(20, 4)
    screen = new Screen(terminal.stdout, () => {
      resizes += 1
    })
    screen.enter()
  })

  const written = (act: () => void) => {
    const before = terminal.written.length
    act()
    return terminal.written.slice(before)
  }

  it('uses the alternate buffer, all rows and all columns', async () => {
    screen.write(['1'.repeat(20), '2', '3', `${'4'.repeat(19)}│`].join('\n'))
    expect(await terminal.alternate()).toBe(true)
    expect(await terminal.lines()).toEqual(['1'.repeat(20), '2', '3', `${'4'.repeat(19)}│`])
  })

  it('writes only the lines that changed, and nothing for an equal frame', async () => {
    screen.write('one\ntwo\nthree')
    expect(written(() => screen.write('one\ntwo\nthree'))).toBe('')
    const change = written(() => screen.write('one\nTWO\nthree'))
    expect(change).toContain('TWO')
    expect(change).not.toContain('one')
    expect(change).not.toContain('\u001b[2J')
    expect(await terminal.lines()).toEqual(['one', 'TWO', 'three', ''])
  })

  it('wipes lines that are gone, and cuts those below the screen', async () => {
    screen.write('one\ntwo\nthree\nfour\nfive')
    expect(await terminal.lines()).toEqual(['one', 'two', 'three', 'four'])
    screen.write('one')
    expect(await terminal.lines()).toEqual(['one', '', '', ''])
  })

  it('draws everything again after a resize and on request', async () => {
    screen.write('one\ntwo')
    terminal.resize(30, 3)
    expect(resizes).toBe(1)
    expect([screen.columns, screen.rows]).toEqual([30, 3])
    screen.write('one\ntwo')
    expect(await terminal.lines()).toEqual(['one', 'two', ''])
    expect(written(() => screen.repaint())).toContain('one')
  })

  it('ignores cursor codes and tells when a write is done', () => {
    let done = 0
    expect(written(() => screen.write('\u001b[?25h'))).toBe('')
    screen.write('', 'utf8', () => {
      done += 1
    })
    expect(done).toBe(1)
  })

  it('gives the terminal back once and is silent then', async () => {
    screen.write('one')
    screen.leave()
    expect(await terminal.alternate()).toBe(false)
    expect(terminal.written).toMatch(/\u001b\[\?25h\u001b\[\?1049l$/)
    expect(
      written(() => {
        screen.leave()
        screen.write('two')
        screen.repaint()
        terminal.resize(10, 10)
      }),
    ).toBe('')
  })
})
