import { connect, createServer, type Server, type Socket } from 'node:net'

/**
 * What a proxy does to the bytes it passes on, in either direction; undefined cuts the connection.
 */
export type Tamper = (bytes: Buffer, direction: 'up' | 'down', passed: number) => Buffer | undefined

/** A TCP proxy on 127.0.0.1 that keeps every byte and may change them. */
export class RecordingProxy {
  readonly up: Buffer[] = []
  readonly down: Buffer[] = []
  connections = 0
  tamper: Tamper = (bytes) => bytes
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #passed = 0

  constructor(targetPort: number) {
    this.#server = createServer((near) => {
      this.connections++
      const far = connect(targetPort, '127.0.0.1')
      this.#pass(near, far, 'up')
      this.#pass(far, near, 'down')
    })
  }

  async start(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    return address.port
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  get bytes(): Buffer {
    return Buffer.concat([...this.up, ...this.down])
  }

  #pass(from: Socket, to: Socket, direction: 'up' | 'down'): void {
    this.#sockets.add(from)
    const end = () => {
      this.#sockets.delete(from)
      from.destroy()
      to.destroy()
    }
    from.on('error', end)
    from.on('close', end)
    from.on('data', (bytes: Buffer) => {
      this[direction].push(Buffer.from(bytes))
      const passed = this.tamper(bytes, direction, this.#passed)
      this.#passed += bytes.length
      if (passed === undefined) end()
      else if (!to.destroyed) to.write(passed)
    })
  }
}
