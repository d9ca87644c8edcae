import type { Connection } from '@libp2p/interface'
import { CotuneError, errorMessage, isCotuneError } from '#base'
import type { Framed } from '#protocols/messages'
import type { RateLimit } from './rate-limit.ts'
import type { MeshEvent, StreamHandler, StreamProtocol } from './types.ts'

export interface StreamGateInit {
  readonly isMember: (peerId: string) => boolean
  /** Limits the streams of strangers by the address they come from. */
  readonly strangers: RateLimit
  readonly onEvent: (event: MeshEvent) => void
}

/**
 * Serves the streams that peers open, after asking who they are. Never throws: what goes wrong with
 * a stream ends that stream.
 */
export class StreamGate {
  readonly #init: StreamGateInit

  constructor(init: StreamGateInit) {
    this.#init = init
  }

  async serve(
    protocol: StreamProtocol,
    handler: StreamHandler,
    stream: Framed,
    connection: Connection,
    signal: AbortSignal,
  ): Promise<void> {
    const peerId = connection.remotePeer.toString()
    try {
      this.#admit(protocol, peerId, connection)
      await handler({ peerId, stream, signal })
      await stream.close()
    } catch (error) {
      stream.abort(error instanceof Error ? error : new Error(String(error)))
      this.#init.onEvent(refusal(peerId, protocol.id, error))
    }
  }

  #admit(protocol: StreamProtocol, peerId: string, connection: Connection): void {
    if (this.#init.isMember(peerId)) return
    if (protocol.access === 'members') {
      throw new CotuneError('MESH_STRANGER', `${peerId} is not a member of the run.`, {
        hint: 'Join first, with an invite of the cloud peer.',
        data: { peerId, protocol: protocol.id },
      })
    }
    const host = connection.remoteAddr.toString().split('/')[2] ?? ''
    if (this.#init.strangers.take(host)) return
    throw new CotuneError('MESH_BUSY', `Too many strangers from ${host}.`, {
      hint: 'Wait a minute and try again.',
      data: { peerId, protocol: protocol.id },
    })
  }
}

/** The event that tells of a refused input. */
export function refusal(peerId: string, what: string, error: unknown): MeshEvent {
  const code = isCotuneError(error) ? error.code : 'INTERNAL'
  return { type: 'refused', peerId, what, code, reason: errorMessage(error) }
}
