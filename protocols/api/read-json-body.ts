import type { IncomingMessage } from 'node:http'
import { CotuneError, EXIT } from '#base'

const MAX_BODY_BYTES = 1_048_576

/**
 * The body of a request as JSON; undefined when there is none.
 * @throws CotuneError API_BODY_TOO_LARGE, API_BAD_JSON
 */
export async function readJsonBody(request: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = []
  let sizeBytes = 0
  for await (const part of request) {
    const chunk = part as Buffer
    sizeBytes += chunk.length
    if (sizeBytes > MAX_BODY_BYTES) {
      throw new CotuneError(
        'API_BODY_TOO_LARGE',
        `a request holds at most ${MAX_BODY_BYTES} bytes`,
        {
          hint: 'pass large input as a file path',
          exit: EXIT.usage,
        },
      )
    }
    parts.push(chunk)
  }
  if (sizeBytes === 0) return undefined
  try {
    return JSON.parse(Buffer.concat(parts).toString('utf8')) as unknown
  } catch (cause) {
    throw new CotuneError('API_BAD_JSON', 'the body of the request is not JSON', {
      hint: 'send one JSON object',
      exit: EXIT.usage,
      cause,
    })
  }
}
