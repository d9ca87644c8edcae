import { type Clock, CotuneError, EXIT, type Startable } from '#base'
import type { InviteReply } from '#protocols/api'
import {
  createInvite,
  JoinServer,
  MemberDirectory,
  type Membership,
  serveMembers,
  signRevocations,
} from '#protocols/membership'
import type { Identity, MeshNode } from '#protocols/mesh'
import type { SealingKeys } from './sealing-keys.ts'
import type { CloudStore } from './store/cloud-store.ts'

export interface CloudMembershipComponents {
  readonly store: CloudStore
  readonly identity: Identity
  readonly mesh: Pick<MeshNode, 'handle' | 'addresses' | 'addressesOf'>
  readonly directory: MemberDirectory
  readonly keys: SealingKeys
  readonly dpmDigest: () => string
  readonly clock: Clock
}

const DAY_MS = 86_400_000

/** The record of who belongs to the run, from what the store holds. */
export function createDirectory(
  store: CloudStore,
  identity: Identity,
  runId: string,
): MemberDirectory {
  const directory = new MemberDirectory({ runId, cloudPeerId: identity.peerId })
  for (const { membership } of store.members.all()) directory.add(membership)
  const peerIds = store.members
    .all()
    .filter(({ revokedAt }) => revokedAt !== null)
    .map(({ peerId }) => peerId)
  // Revocations are never taken back, so their number orders the lists.
  if (peerIds.length > 0)
    directory.revoke(signRevocations(identity, { runId, sequence: peerIds.length, peerIds }))
  return directory
}

/** Lets devices in by invite and tells members of each other. */
export class CloudMembership implements Startable {
  readonly #components: CloudMembershipComponents
  readonly #onJoined: (member: Membership) => void

  constructor(
    components: CloudMembershipComponents,
    init: { readonly onJoined: (member: Membership) => void },
  ) {
    this.#components = components
    this.#onJoined = init.onJoined
  }

  async start(): Promise<void> {
    const { store, identity, mesh, directory, keys, dpmDigest, clock } = this.#components
    const join = new JoinServer(
      { mesh, identity, invites: store.invites, clock },
      {
        runId: directory.runId,
        sealingKey: () => keys.current().publicKey,
        dpmDigest,
        onJoined: (member, record) => {
          directory.add(record)
          this.#onJoined(member)
        },
      },
    )
    await join.serve()
    await serveMembers(mesh, directory)
  }

  async stop(): Promise<void> {
    // The handlers go with the mesh node.
  }

  /** A one-time invite, good for a day unless told. @throws CotuneError INVITE_NO_ADDRESS */
  invite(name: string, ttlMs = DAY_MS): InviteReply {
    const { store, mesh, directory, clock } = this.#components
    const addresses = mesh.addresses()
    if (addresses.length === 0)
      throw new CotuneError('INVITE_NO_ADDRESS', 'The cloud peer listens nowhere yet.', {
        hint: 'Set `listen` in its configuration, or wait until it is ready.',
        exit: EXIT.unhealthy,
      })
    const expiresAt = clock.now() + ttlMs
    const { text, inviteId, secret } = createInvite({
      runId: directory.runId,
      addresses,
      expiresAt,
    })
    store.invites.add(inviteId, { secret, name, expiresAt })
    return { invite: text, expiresAt }
  }
}
