import { EventLog, type Startable } from '#base'
import { type ApiServerInit, controlSocketPath, createApiServer } from '#protocols/api'

/** The local API of a device with this home, with these handlers alone. */
export async function servePeer(
  home: string,
  handlers: ApiServerInit['handlers'],
): Promise<Startable> {
  const server = createApiServer({
    socketPath: controlSocketPath(home),
    role: 'device',
    handlers,
    events: new EventLog(),
    health: () => ({ live: true, ready: true, checks: [] }),
  })
  await server.start()
  return server
}
