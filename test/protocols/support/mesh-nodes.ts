import { setTimeout as delay } from 'node:timers/promises'
import { createIdentity, type Identity, type MeshInit, MeshNode } from '#protocols/mesh'

export interface TestNode {
  readonly node: MeshNode
  readonly identity: Identity
  readonly events: unknown[]
}

/** A node on 127.0.0.1 whose members are those in `members`. */
export async function startNode(
  members: Set<string>,
  init: Partial<MeshInit> = {},
  identity = createIdentity(),
): Promise<TestNode> {
  const events: unknown[] = []
  const node = new MeshNode(
    { identity },
    {
      runId: 'run-1',
      isMember: (peerId) => members.has(peerId),
      listen: ['/ip4/127.0.0.1/tcp/0'],
      redialMinMs: 50,
      redialMaxMs: 300,
      onEvent: (event) => events.push(event),
      ...init,
    },
  )
  await node.start()
  return { node, identity, events }
}

/** Waits until `condition` holds; fails after `timeoutMs`. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 15_000,
  what = 'the condition',
): Promise<void> {
  const end = Date.now() + timeoutMs
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`waited ${timeoutMs} ms for ${what}`)
    await delay(20)
  }
}
