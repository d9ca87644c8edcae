import { afterEach, expect, it } from 'vitest'
import { createIdentity } from '#protocols/mesh'
import { startNode, type TestNode, until } from '../support/mesh-nodes.ts'
import { RecordingProxy } from '../support/recording-proxy.ts'

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

it('notices a link that swallows everything, on both sides, and comes back when it heals', async () => {
  const members = new Set<string>()
  const start = async (): Promise<TestNode> => {
    const identity = createIdentity()
    members.add(identity.peerId)
    const init = { pingIntervalMs: 100, deadAfterMs: 600 }
    const made = await startNode(members, init, identity)
    closing.push(() => made.node.stop())
    return made
  }
  const [cloud, device] = [await start(), await start()]
  const proxy = new RecordingProxy(Number(cloud.node.addresses()[0]!.split('/')[4]))
  const port = await proxy.start()
  closing.push(() => proxy.stop())
  const linked = () =>
    device.node.isConnected(cloud.node.peerId) && cloud.node.isConnected(device.node.peerId)

  device.node.keep(cloud.node.peerId, [`/ip4/127.0.0.1/tcp/${port}`])
  await until(linked)
  await until(() => device.node.links()[0]?.rttMs !== undefined)

  proxy.tamper = () => Buffer.alloc(0)
  await until(() => cloud.node.links().length === 0, 5_000, 'the cloud peer to notice')
  await until(() => device.node.links().length === 0, 5_000, 'the device to notice')

  proxy.tamper = (bytes) => bytes
  await until(linked, 15_000, 'the link to come back')
  expect(proxy.connections).toBeGreaterThan(1)
})
