import type { Stream, StreamCloseEvent, StreamMessageEvent } from '@libp2p/interface'
import { decode, encode, encodingLength } from 'uint8-varint'
import { Uint8ArrayList } from 'uint8arraylist'
import { CotuneError } from '#base'
import { waitFor } from './wait-for.ts'

export interface FramedInit {
  /** Largest frame accepted or sent, without its length prefix. */
  readonly maxFrameBytes: number
  /** Longest wait for one frame to arrive or to be taken. */
  readonly timeoutMs?: number
  /** Unread bytes at which the sender is asked to pause. */
  readonly highWaterBytes?: number
}

/**
 * Length-prefixed frames over a libp2p stream: bounded in memory and time, in both directions. One
 * reader at a time.
 */
export interface Framed {
  /**
   * The next frame, or undefined when the peer ended the stream between two frames.
   * @throws PROTOCOL_OVERSIZE, PROTOCOL_MALFORMED, PROTOCOL_TRUNCATED, PROTOCOL_CLOSED,
   * PROTOCOL_TIMEOUT
   */
  read(signal?: AbortSignal): Promise<Uint8Array | undefined>
  /**
   * Sends a frame and waits until the transport can take more.
   * @throws PROTOCOL_CLOSED, PROTOCOL_TIMEOUT
   */
  write(frame: Uint8Array, signal?: AbortSignal): Promise<void>
  /** Ends our side, waiting for what was written to leave. Never throws. */
  close(): Promise<void>
  /** Tears the stream down. Never throws. */
  abort(reason: Error): void
}

const MAX_PREFIX_BYTES = 5

/**
 * Frames `stream`. libp2p 3's own helpers do not fit untrusted bulk: `lpStream` and `for await`
 * buffer without a bound, `onDrain()` resolves at once from its second call on (@libp2p/utils
 * 7.4.1), and no wait ends by itself.
 */
export function framed(stream: Stream, init: FramedInit): Framed {
  const { maxFrameBytes } = init
  const timeoutMs = init.timeoutMs ?? 10_000
  const highWaterBytes = init.highWaterBytes ?? Math.max(2 * maxFrameBytes, 64 * 1024)
  const unread = new Uint8ArrayList()
  let ended = false
  let failure: Error | undefined
  let wake: (() => void) | undefined

  const pauseIfFull = (): void => {
    if (unread.byteLength > highWaterBytes && stream.readStatus === 'readable') stream.pause()
  }
  const resumeIfPaused = (): void => {
    if (stream.readStatus === 'paused') stream.resume()
  }
  stream.addEventListener('message', (event: StreamMessageEvent) => {
    unread.append(event.data)
    // Not at once: resume() dispatches what is buffered and only then tells the peer to go on,
    // which would undo a pause from in here.
    if (unread.byteLength > highWaterBytes) queueMicrotask(pauseIfFull)
    wake?.()
  })
  stream.addEventListener('remoteCloseWrite', () => {
    ended = true
    wake?.()
  })
  stream.addEventListener('close', (event: StreamCloseEvent) => {
    ended = true
    failure ??= event.error
    wake?.()
  })
  // What arrived before these listeners is dispatched in a microtask queued by the first of them:
  // look for the end after it.
  queueMicrotask(() => {
    if (stream.remoteWriteStatus !== 'closed' && stream.status === 'open') return
    ended = true
    wake?.()
  })

  /** Waits until `count` bytes are buffered; false when the stream ended before. */
  const available = async (count: number, signal?: AbortSignal): Promise<boolean> => {
    resumeIfPaused()
    if (unread.byteLength >= count || ended) return unread.byteLength >= count
    await waitFor(
      (done) => {
        wake = () => {
          resumeIfPaused()
          if (unread.byteLength >= count || ended) done()
        }
        wake()
        return () => {
          wake = undefined
        }
      },
      { timeoutMs, what: 'a frame', signal },
    )
    return unread.byteLength >= count
  }

  const readLength = async (signal?: AbortSignal): Promise<number | undefined> => {
    for (let count = 1; ; count++) {
      if (!(await available(count, signal))) {
        if (count > 1 || unread.byteLength > 0) throw truncated(failure)
        if (failure) throw closed(failure)
        return undefined
      }
      if ((unread.get(count - 1) & 0x80) === 0) return decode(unread.subarray(0, count))
      if (count === MAX_PREFIX_BYTES) throw malformedPrefix()
    }
  }

  return {
    read: async (signal) => {
      try {
        const length = await readLength(signal)
        if (length === undefined) return undefined
        if (length > maxFrameBytes) throw oversize(length, maxFrameBytes)
        const prefix = encodingLength(length)
        if (!(await available(prefix + length, signal))) throw truncated(failure)
        // A copy: a view would keep the whole of the socket's buffer alive.
        const frame = new Uint8Array(unread.subarray(prefix, prefix + length))
        unread.consume(prefix + length)
        return frame
      } catch (error) {
        abortQuietly(stream, error)
        throw error
      }
    },
    write: async (frame, signal) => {
      if (frame.length > maxFrameBytes) throw oversize(frame.length, maxFrameBytes)
      let writable: boolean
      try {
        writable = stream.send(new Uint8ArrayList(encode(frame.length), frame))
      } catch (cause) {
        throw closed(cause)
      }
      if (writable) return
      await waitFor(
        (done, fail) => {
          const onDrain = () => done()
          const onClose = (event: StreamCloseEvent) => fail(closed(event.error))
          stream.addEventListener('drain', onDrain)
          stream.addEventListener('close', onClose)
          if (!stream.writableNeedsDrain) done()
          else if (stream.status !== 'open') fail(closed(failure))
          return () => {
            stream.removeEventListener('drain', onDrain)
            stream.removeEventListener('close', onClose)
          }
        },
        { timeoutMs, what: 'the peer to take a frame', signal },
      )
    },
    close: async () => {
      try {
        await stream.close({ signal: AbortSignal.timeout(timeoutMs) })
      } catch (error) {
        abortQuietly(stream, error)
      }
    },
    abort: (reason) => abortQuietly(stream, reason),
  }
}

function abortQuietly(stream: Stream, reason: unknown): void {
  if (stream.status === 'closed' || stream.status === 'aborted' || stream.status === 'reset') return
  try {
    stream.abort(reason instanceof Error ? reason : new Error(String(reason)))
  } catch {
    // The stream is gone already, which is what was wanted.
  }
}

const PEER_HINT = 'The peer runs another version or is faulty; update both sides.'
const LINK_HINT = 'The link broke or the peer stopped; the exchange is tried again by itself.'

function oversize(sizeBytes: number, maxBytes: number): CotuneError {
  return new CotuneError(
    'PROTOCOL_OVERSIZE',
    `A frame of ${sizeBytes} bytes; ${maxBytes} are allowed.`,
    {
      hint: PEER_HINT,
      data: { sizeBytes, maxBytes },
    },
  )
}

function malformedPrefix(): CotuneError {
  return new CotuneError('PROTOCOL_MALFORMED', 'The length of a frame is not a short varint.', {
    hint: PEER_HINT,
  })
}

function truncated(cause: unknown): CotuneError {
  return new CotuneError('PROTOCOL_TRUNCATED', 'The stream ended inside a frame.', {
    hint: LINK_HINT,
    cause,
  })
}

function closed(cause: unknown): CotuneError {
  return new CotuneError('PROTOCOL_CLOSED', 'The stream was closed by the peer or the link.', {
    hint: LINK_HINT,
    cause,
  })
}
