import { afterEach, describe, expect, it } from 'vitest'
import { utf8 } from '#base'
import { createIdentity, type MeshInit, type StreamProtocol } from '#protocols/mesh'
import { startNode, type TestNode, until } from '../support/mesh-nodes.ts'

const echo: StreamProtocol = { id: '/test/echo/1', access: 'members', maxFrameBytes: 1_000 }
const hello: StreamProtocol = { id: '/test/hello/1', access: 'anyone', maxFrameBytes: 1_000 }

describe('MeshNode', () => {
  const running: TestNode[] = []
  const members = new Set<string>()
  const start = async (
    init: Partial<MeshInit> = {},
    member = true,
    identity = createIdentity(),
  ) => {
    const made = await startNode(members, init, identity)
    running.push(made)
    if (member) members.add(made.identity.peerId)
    return made
  }
  afterEach(async () => {
    await Promise.all(running.splice(0).map(({ node }) => node.stop()))
    members.clear()
  })

  it('exchanges frames with a member and counts the bytes', async () => {
    const a = await start()
    const b = await start()
    await b.node.handle(echo, async ({ stream }) => {
      const frame = await stream.read()
      if (frame) await stream.write(frame)
    })
    await a.node.connect(b.node.peerId, b.node.addresses())
    const stream = await a.node.open(b.node.peerId, echo)
    await stream.write(utf8('over the wire'))
    expect(Buffer.from((await stream.read())!).toString()).toBe('over the wire')
    expect(await stream.read()).toBeUndefined()
    await stream.close()
    const traffic = a.node.traffic()
    expect(traffic.protocols[echo.id]).toMatchObject({ up: 14, down: 14 })
    expect(traffic.peers[b.node.peerId]!.up).toBeGreaterThanOrEqual(14)
    expect(traffic.up).toBeGreaterThan(14)
    await until(() => a.node.links()[0]?.rttMs !== undefined)
  })

  it('lets a stranger open nothing but what is open to anyone, at a limited rate', async () => {
    const a = await start({ strangerStreamsPerMinute: 3 })
    const stranger = await start({}, false)
    members.add(a.node.peerId)
    const seen: string[] = []
    for (const protocol of [echo, hello]) {
      await a.node.handle(protocol, async ({ stream }) => {
        seen.push(protocol.id)
        await stream.write(utf8('hi'))
      })
    }
    await stranger.node.connect(a.node.peerId, a.node.addresses())
    const tryOpen = async (protocol: StreamProtocol) => {
      try {
        const stream = await stranger.node.open(a.node.peerId, protocol)
        return (await stream.read()) !== undefined
      } catch {
        return false
      }
    }
    expect(await tryOpen(echo)).toBe(false)
    const answers = []
    for (let i = 0; i < 5; i++) answers.push(await tryOpen(hello))
    expect(answers).toEqual([true, true, true, false, false])
    expect(seen).toEqual([hello.id, hello.id, hello.id])
    expect(a.events).toContainEqual(
      expect.objectContaining({ type: 'refused', code: 'MESH_STRANGER', what: echo.id }),
    )
  })

  it('sends a stranger away when it has stayed too long', async () => {
    const a = await start({ strangerStayMs: 100, pingIntervalMs: 50 })
    const stranger = await start({}, false)
    await stranger.node.connect(a.node.peerId, a.node.addresses())
    await until(() => a.node.links().length === 0)
  })

  it("carries a member's announcement and drops a stranger's, both ways", async () => {
    const a = await start()
    const b = await start()
    const stranger = await start({}, false)
    const heard: Record<string, string[]> = { a: [], b: [], stranger: [] }
    for (const [name, { node }] of Object.entries({ a, b, stranger })) {
      node.subscribe((message) => {
        heard[name]!.push(Buffer.from(message).toString())
        return 'accept'
      })
    }
    await b.node.connect(a.node.peerId, a.node.addresses())
    await stranger.node.connect(a.node.peerId, a.node.addresses())
    let sent = 0
    await until(async () => {
      await a.node.publish(utf8(`news ${sent++}`))
      await stranger.node.publish(utf8(`spam ${sent}`))
      return heard.b!.length >= 3
    })
    expect(heard.b!.every((text) => text.startsWith('news'))).toBe(true)
    expect(heard.a).toEqual([])
    expect(heard.stranger).toEqual([])
  })

  it('carries announcements to a peer that became a member after it had connected', async () => {
    const a = await start()
    const newcomer = await start({}, false)
    const heard: string[] = []
    newcomer.node.subscribe((message) => {
      heard.push(Buffer.from(message).toString())
      return 'accept'
    })
    await newcomer.node.connect(a.node.peerId, a.node.addresses())
    await until(() => a.events.some((event) => (event as { type: string }).type === 'rtt'))
    for (let i = 0; i < 5; i++) await a.node.publish(utf8(`before ${i}`))
    expect(heard).toEqual([])
    // What gossip still holds of them it may hand to a member later.
    members.add(newcomer.node.peerId)
    let sent = 0
    await until(async () => {
      await a.node.publish(utf8(`after ${sent++}`))
      return heard.some((text) => text.startsWith('after'))
    })
  })

  it('counts a validator that throws as a refusal and lives on', async () => {
    const a = await start()
    const b = await start()
    a.node.subscribe(() => {
      throw new Error('bad input')
    })
    await b.node.connect(a.node.peerId, a.node.addresses())
    let sent = 0
    await until(async () => {
      await b.node.publish(utf8(`x${sent++}`))
      return a.events.some((event) => (event as { what?: string }).what === 'gossip')
    })
    expect(a.node.isConnected(b.node.peerId)).toBe(true)
  })

  it('refuses to publish what is too large', async () => {
    const a = await start()
    await expect(a.node.publish(new Uint8Array(5_000))).rejects.toMatchObject({
      code: 'PROTOCOL_OVERSIZE',
    })
  })

  it('comes back to a kept peer that was away, on the same address', async () => {
    const identity = createIdentity()
    const first = await start({}, true, identity)
    const [address] = first.node.addresses()
    const listen = [address!.split('/p2p/')[0]!]
    const a = await start()
    a.node.keep(identity.peerId, [address!])
    await until(() => a.node.isConnected(identity.peerId))
    await first.node.stop()
    await until(() => a.events.some((event) => (event as { type: string }).type === 'dial-failed'))
    await start({ listen }, true, identity)
    await until(() => a.node.isConnected(identity.peerId))
  })

  it('refuses an address where another peer answers', async () => {
    const a = await start()
    const b = await start()
    const [address] = b.node.addresses()
    const other = createIdentity().peerId
    await expect(a.node.connect(other, [address!.split('/p2p/')[0]!])).rejects.toMatchObject({
      code: 'MESH_UNREACHABLE',
    })
  })

  it('says which address it cannot listen on', async () => {
    const a = await start()
    const listen = [a.node.addresses()[0]!.split('/p2p/')[0]!]
    await expect(startNode(members, { listen })).rejects.toMatchObject({ code: 'MESH_LISTEN' })
  })
})
