import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, describe, expect, it } from 'vitest'
import { bytesOf, createRandom, isCotuneError } from '#base'
import type { AdapterWeights } from '#learning/tuning'
import { createIdentity } from '#protocols/mesh'
import { createSealingKey, openUpdate, sealUpdate } from '#protocols/sealing'
import { BlobExchange, MemoryBlobStore, storeBlob } from '#protocols/transfer'
import { decodeUpdate, encodeUpdate } from '#protocols/update'
import { startNode, type TestNode, until } from './support/mesh-nodes.ts'
import { someBytes } from './support/packed.ts'
import { RecordingProxy } from './support/recording-proxy.ts'
import { bareNode } from './support/stream-pair.ts'

const CANARY = 'The patient in bed twelve is called Wilhelmina'

/**
 * About 1.2 MB in five chunks; the canary rides in a tensor's name, as if somebody had leaked it
 * into the update.
 */
function someUpdate() {
  const noise = someBytes(300_000)
  const data = Float32Array.from(noise, (byte, i) => (byte - 127.3) / (i + 1))
  const delta: AdapterWeights = new Map([[CANARY, { dtype: 'float32', shape: [300, 1_000], data }]])
  return { delta, examples: 600, data }
}

describe('the wire under attack', { timeout: 60_000 }, () => {
  const closing: (() => Promise<unknown>)[] = []
  const members = new Set<string>()
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close()
    members.clear()
  })
  const start = async (): Promise<TestNode> => {
    const identity = createIdentity()
    members.add(identity.peerId)
    const made = await startNode(members, {}, identity)
    closing.push(() => made.node.stop())
    return made
  }

  /** A device that dials the cloud peer through a proxy and offers a sealed update. */
  async function meshThroughProxy() {
    const [cloud, device] = [await start(), await start()]
    const port = Number(cloud.node.addresses()[0]!.split('/')[4])
    const proxy = new RecordingProxy(port)
    const proxyPort = await proxy.start()
    closing.push(() => proxy.stop())
    const key = createSealingKey()
    const update = someUpdate()
    const content = await encodeUpdate(update, 'float32')
    const blob = await sealUpdate(device.identity, key, content, {
      runId: 'run-1',
      round: 1,
      baseDigest: 'aa'.repeat(32),
      expiresAt: Date.now() + 60_000,
      counter: 1,
    })
    const [cloudStore, deviceStore] = [new MemoryBlobStore(), new MemoryBlobStore()]
    await storeBlob(deviceStore, blob)
    const taking = new BlobExchange({ mesh: cloud.node, store: cloudStore })
    await new BlobExchange({ mesh: device.node, store: deviceStore }).serve()
    device.node.keep(cloud.node.peerId, [`/ip4/127.0.0.1/tcp/${proxyPort}`])
    const connected = () => until(() => cloud.node.isConnected(device.node.peerId))
    await connected()
    const fetch = () => taking.fetch(blob.blobId, { holders: [device.node.peerId] })
    const open = () =>
      openUpdate([key], blob.manifest, (index) => cloudStore.chunk(blob.blobId, index))
    return { cloud, device, proxy, update, content, blob, cloudStore, fetch, open, connected }
  }

  it('shows no text and no weight to who records every byte', async () => {
    const mesh = await meshThroughProxy()
    const [address] = mesh.cloud.node.addresses()
    await mesh.fetch()
    const { content } = await mesh.open()
    expect((await decodeUpdate(content)).delta.get(CANARY)!.data).toEqual(mesh.update.data)

    const seen = mesh.proxy.bytes
    expect(seen.length).toBeGreaterThan(mesh.content.length)
    // The control: the recorder does see what is in the clear, the first words of the handshake.
    expect(seen.includes('/multistream/1.0.0')).toBe(true)
    for (const word of ['patient', 'Wilhelmina', 'bed twelve', 'lora', 'run-1', '/cotune/']) {
      expect(seen.includes(word), word).toBe(false)
    }
    const weights = Buffer.from(bytesOf(mesh.update.data))
    for (let at = 0; at < weights.length; at += 16_000) {
      expect(seen.includes(weights.subarray(at, at + 12))).toBe(false)
    }
    // Nor would it without the transport's encryption: what moves is sealed already.
    const sealed = Buffer.concat([mesh.blob.manifest, ...mesh.blob.chunks])
    expect(sealed.includes('patient')).toBe(false)
    for (let at = 0; at < weights.length; at += 16_000) {
      expect(sealed.includes(weights.subarray(at, at + 12))).toBe(false)
    }
    expect(address).toContain('/p2p/')
  })

  it('gives nothing to who plays recorded bytes again', async () => {
    const mesh = await meshThroughProxy()
    await mesh.fetch()
    const recorded = Buffer.concat(mesh.proxy.up)
    const port = Number(mesh.cloud.node.addresses()[0]!.split('/')[4])
    const before = mesh.cloud.node.links().length
    const answers: Buffer[] = []
    const socket = connect(port, '127.0.0.1')
    socket.on('data', (bytes) => answers.push(bytes))
    socket.on('error', () => undefined)
    await new Promise((resolve) => socket.once('connect', resolve))
    for (let at = 0; at < recorded.length && !socket.destroyed; at += 4_096) {
      socket.write(recorded.subarray(at, at + 4_096))
      await delay(1)
      if (at > 40_960) break
    }
    await delay(200)
    socket.destroy()
    expect(mesh.cloud.node.links().length).toBe(before)
    expect(Buffer.concat(answers).length).toBeLessThan(1_000)
    expect(mesh.cloud.node.isConnected(mesh.device.node.peerId)).toBe(true)
  })

  it('goes on after cuts and flipped bits, and takes in only what was sent', async () => {
    const mesh = await meshThroughProxy()
    const random = createRandom('cuts')
    let harm = 6
    let next = 100_000
    mesh.proxy.tamper = (bytes, direction, passed) => {
      if (direction === 'down' || harm === 0 || passed < next) return bytes
      harm--
      next = passed + 50_000 + random.integer(300_000)
      if (harm % 2 === 0) return undefined
      const changed = Buffer.from(bytes)
      changed[random.integer(changed.length)]! ^= 1 << random.integer(8)
      return changed
    }
    let attempts = 0
    for (; attempts < 40; attempts++) {
      await mesh.connected()
      const done = await mesh.fetch().then(
        () => true,
        (error: unknown) => {
          if (!isCotuneError(error, 'BLOB_UNAVAILABLE')) throw error
          return false
        },
      )
      if (done) break
    }
    expect(attempts).toBeGreaterThan(0)
    expect(await mesh.cloudStore.missing(mesh.blob.blobId)).toEqual([])
    expect(Buffer.compare((await mesh.open()).content, mesh.content)).toBe(0)
  })

  it('answers a raw peer that speaks garbage on every protocol, and stays up for others', async () => {
    const mesh = await meshThroughProxy()
    const raw = await bareNode()
    closing.push(async () => raw.stop())
    members.add(raw.peerId.toString())
    const address = multiaddr(mesh.device.node.addresses()[0]!)
    const random = createRandom('garbage')
    const junk = (length: number) => Uint8Array.from({ length }, () => random.integer(256))
    const attacks = [
      junk(1),
      junk(300),
      new Uint8Array(9).fill(0xff), // a length that never ends
      new Uint8Array([0xff, 0xff, 0xff, 0x7f, 1, 2, 3]), // 256 MiB are promised
      new Uint8Array([0x80, 0x01, 1, 2]), // half a frame
      new Uint8Array([3, 8, 2, 0]), // another version
    ]
    const protocols = ['/cotune/blob/1', '/ipfs/id/1.0.0', '/meshsub/1.2.0', '/ipfs/ping/1.0.0']
    for (const protocol of protocols) {
      for (const attack of attacks) {
        const stream = await raw.dialProtocol(address, protocol).catch(() => undefined)
        if (!stream) continue
        try {
          stream.send(attack)
          await stream.close({ signal: AbortSignal.timeout(500) })
        } catch (error) {
          stream.abort(error as Error)
        }
      }
    }
    await mesh.connected()
    await mesh.fetch()
    expect(Buffer.compare((await mesh.open()).content, mesh.content)).toBe(0)
  })

  it('admits an honest peer while idle sockets crowd the door', async () => {
    const [cloud, device] = [await start(), await start()]
    const port = Number(cloud.node.addresses()[0]!.split('/')[4])
    const idle = Array.from({ length: 60 }, () => connect(port, '127.0.0.1'))
    for (const socket of idle) socket.on('error', () => undefined)
    closing.push(async () => {
      for (const socket of idle) socket.destroy()
    })
    await Promise.all(
      idle.map((socket) => new Promise((resolve) => socket.once('connect', resolve))),
    )
    const startedAt = performance.now()
    await device.node.connect(cloud.node.peerId, cloud.node.addresses())
    expect(performance.now() - startedAt).toBeLessThan(2_000)
  })

  it('ends a gossip stream that floods, and hears other members', async () => {
    const [cloud, honest, flooder] = [await start(), await start(), await start()]
    const heard = new Set<string>()
    cloud.node.subscribe((message) => {
      if (message[0] !== 1) return 'reject'
      heard.add(Buffer.from(message).toString('hex'))
      return 'accept'
    })
    for (const { node } of [honest, flooder]) {
      await node.connect(cloud.node.peerId, cloud.node.addresses())
    }
    let sent = 0
    await until(async () => {
      for (let i = 0; i < 50; i++) {
        sent++
        await flooder.node.publish(new Uint8Array([0, sent & 255, sent >> 8, 9]))
      }
      await honest.node.publish(new Uint8Array([1, sent & 255, sent >> 8]))
      return heard.size >= 3
    })
    expect([...heard].every((message) => message.startsWith('01'))).toBe(true)
  })
})
