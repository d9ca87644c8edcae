/** One server-sent event: the WHATWG format, of which we need `id` and `data`. */
export interface ServerSentEvent {
  readonly id: string
  readonly data: string
}

/**
 * Splits a byte stream into server-sent events; comments (heartbeats) come out as nothing.
 * Source: HTML standard, section 9.2.6.
 */
export async function* parseServerSentEvents(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<ServerSentEvent> {
  const decoder = new TextDecoder()
  let rest = ''
  let id = ''
  let data: string[] = []
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0) yield { id, data: data.join('\n') }
        data = []
      } else if (line.startsWith('id: ')) id = line.slice(4)
      else if (line.startsWith('data: ')) data.push(line.slice(6))
    }
  }
}
