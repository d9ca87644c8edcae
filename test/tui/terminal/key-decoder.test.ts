import { describe, expect, it } from 'vitest'
import { KeyDecoder } from '../../../tui/terminal/key-decoder.ts'

const names = (...chunks: readonly string[]) => {
  const decoder = new KeyDecoder()
  const keys = chunks.flatMap((chunk) => decoder.push(chunk))
  return [...keys, ...decoder.flush()].map(({ name }) => name)
}

describe('KeyDecoder', () => {
  it('takes a read that holds several keys apart', () => {
    expect(names('/jet\rjj')).toEqual(['/', 'j', 'e', 't', 'enter', 'j', 'j'])
    expect(names('\u001b[A\u001b[Bq')).toEqual(['up', 'down', 'q'])
  })

  it('knows the keys of several terminals', () => {
    expect(names('\u001bOA\u001b[5~\u001b[6;5~\u001b[1;2B\u001b[H\u001b[4~\u001b[Z')).toEqual([
      'up',
      'pageup',
      'pagedown',
      'down',
      'home',
      'end',
      'shift-tab',
    ])
    expect(names('\u0003\u0004\u001a\u007f\b\t\n')).toEqual([
      'ctrl-c',
      'ctrl-d',
      'ctrl-z',
      'backspace',
      'backspace',
      'tab',
      'enter',
    ])
  })

  it('waits for the rest of a sequence', () => {
    expect(names('\u001b', '[A')).toEqual(['up'])
    expect(names('\u001b[', '1;5', 'C')).toEqual(['right'])
  })

  it('tells Esc when nothing follows', () => {
    const decoder = new KeyDecoder()
    expect(decoder.push('\u001b')).toEqual([])
    expect(decoder.waits).toBe(true)
    expect(decoder.flush()).toEqual([{ name: 'escape', text: '' }])
    expect(decoder.waits).toBe(false)
  })

  it('tells Esc before another key of the same read', () => {
    expect(names('\u001bq')).toEqual(['escape', 'q'])
    expect(names('\u001b\u001b[A')).toEqual(['escape', 'up'])
  })

  it('skips sequences that mean nothing', () => {
    expect(names('\u001b[<64;10;5Mx')).toEqual(['x'])
    expect(names('\u001b[24~\u001b[?1;2cx')).toEqual(['x'])
  })

  it('takes a paste as one key, over several reads', () => {
    const decoder = new KeyDecoder()
    expect(decoder.push('\u001b[200~one\r')).toEqual([])
    expect(decoder.push('two\u001b[201~x')).toEqual([
      { name: 'paste', text: 'one\rtwo' },
      { name: 'x', text: 'x' },
    ])
  })

  it('keeps characters of two code units whole', () => {
    expect(names('a😀b')).toEqual(['a', '😀', 'b'])
  })
})
