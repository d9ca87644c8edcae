import { EXIT, type Logger, type Startable } from '#base'
import { stopOnSignal } from './stop-on-signal.ts'

export interface RunPeerInit {
  /** Builds the process; `requestStop` ends it from within (POST /v1/shutdown). */
  readonly create: (requestStop: () => void) => Startable | Promise<Startable>
  readonly logger: Logger
  /** Stop when the IPC channel to the parent closes, however the parent ended. */
  readonly stopWithParent: boolean
}

/**
 * Runs a long-lived peer in the foreground until SIGINT, SIGTERM, SIGHUP or a request to stop, then stops it in order. A
 * second signal ends the process at once.
 */
export async function runPeer({ create, logger, stopWithParent }: RunPeerInit): Promise<number> {
  const stop = stopOnSignal()
  const asked = Promise.withResolvers<string>()
  stop.signal.addEventListener('abort', () => asked.resolve('signal'))
  if (stopWithParent) {
    process.once('disconnect', () => asked.resolve('parent'))
    if (!process.connected) asked.resolve('parent')
  }
  const peer = await create(() => asked.resolve('request'))
  await peer.start()
  const by = await asked.promise
  logger.info({ by }, 'stopping')
  await peer.stop()
  stop.release()
  // A closed IPC channel may hold handles of its own; nothing is left to do here.
  if (process.connected) process.disconnect()
  return EXIT.ok
}
