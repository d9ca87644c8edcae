/** A stream whose writes can be taken over. */
export interface CapturedStream {
  write: (...parameters: never[]) => boolean
}

const LINE_LIMIT = 2_000

/**
 * While a screen is up, whatever else writes to its terminal (console, warnings, libraries) goes to `onLine`, line by line:
 * one stray line would corrupt the screen. Returns the function that gives the streams back and reports unfinished lines.
 */
export function captureOutput(
  streams: readonly CapturedStream[],
  onLine: (line: string, stream: CapturedStream) => void,
): () => void {
  const releases = streams.map((stream) => captureStream(stream, onLine))
  return () => {
    for (const release of releases) release()
  }
}

function captureStream(
  stream: CapturedStream,
  onLine: (line: string, stream: CapturedStream) => void,
): () => void {
  const own = Object.getOwnPropertyDescriptor(stream, 'write')
  let pending = ''
  const report = (line: string) => {
    if (line.trim() !== '') onLine(line, stream)
  }
  const write = (data: unknown, ...rest: readonly unknown[]): boolean => {
    const text = data instanceof Uint8Array ? Buffer.from(data).toString('utf8') : String(data)
    const lines = `${pending}${text}`.split('\n')
    pending = (lines.pop() ?? '').slice(0, LINE_LIMIT)
    for (const line of lines) report(line.slice(0, LINE_LIMIT))
    const done = rest.find((item) => typeof item === 'function')
    if (typeof done === 'function') done()
    return true
  }
  stream.write = write as CapturedStream['write']
  return () => {
    if (own === undefined) Reflect.deleteProperty(stream, 'write')
    else Object.defineProperty(stream, 'write', own)
    report(pending)
    pending = ''
  }
}
