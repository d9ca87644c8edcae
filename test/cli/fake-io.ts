import { Readable, Writable } from 'node:stream'
import type { Io } from '../../cli/io.ts'

/** Captures what a command prints. */
export function fakeIo(input = '', env: NodeJS.ProcessEnv = {}) {
  const written = { stdout: '', stderr: '' }
  const sink = (name: 'stdout' | 'stderr') =>
    new Writable({
      write(chunk, _encoding, done) {
        written[name] += String(chunk)
        done()
      },
    })
  const io: Io = {
    stdin: Readable.from(input === '' ? [] : [input]),
    stdout: sink('stdout'),
    stderr: sink('stderr'),
    env,
  }
  return { io, written }
}
