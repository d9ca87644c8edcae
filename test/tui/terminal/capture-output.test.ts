import { expect, it } from 'vitest'
import { captureOutput } from '../../../tui/terminal/capture-output.ts'

class Sink {
  text = ''
  write(data: string): boolean {
    this.text += data
    return true
  }
}

it('takes lines, joins parts, and gives the stream back', () => {
  const sink = new Sink()
  const lines: string[] = []
  const release = captureOutput([sink], (line) => lines.push(line))
  sink.write('one\ntw')
  sink.write('o\n\nthr')
  expect(lines).toEqual(['one', 'two'])
  release()
  expect(lines).toEqual(['one', 'two', 'thr'])
  sink.write('after')
  expect(sink.text).toBe('after')
})

it('calls back as a stream does, and takes bytes', () => {
  const sink = new Sink()
  const lines: string[] = []
  const release = captureOutput([sink], (line) => lines.push(line))
  let done = 0
  const write = sink.write as (...parameters: unknown[]) => boolean
  expect(write(Buffer.from('bytes\n'), 'utf8', () => (done += 1))).toBe(true)
  expect([lines, done]).toEqual([['bytes'], 1])
  release()
})
