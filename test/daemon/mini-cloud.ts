import { encodeAdapter } from '#learning/lora'
import { createInvite, JoinServer, MemberDirectory, serveMembers } from '#protocols/membership'
import { createIdentity, MeshNode } from '#protocols/mesh'
import { type Announcement, Announcements, type RoundOpen, serveState } from '#protocols/rounds'
import { checkUpdate, createSealingKey, openUpdate } from '#protocols/sealing'
import {
  BlobExchange,
  type Manifest,
  MemoryBlobStore,
  packVersion,
  storeBlob,
} from '#protocols/transfer'
import { type AdapterUpdate, decodeUpdate } from '#protocols/update'
import { adapter, BASE_DIGEST, RUN_ID } from './fakes.ts'

/** As much of a cloud peer as a device can see, on real connections and with real keys. */
export class MiniCloud {
  readonly identity = createIdentity()
  readonly key = createSealingKey()
  readonly directory = new MemberDirectory({ runId: RUN_ID, cloudPeerId: this.identity.peerId })
  readonly mesh = new MeshNode(
    { identity: this.identity },
    {
      runId: RUN_ID,
      isMember: (peerId) => this.directory.isMember(peerId),
      listen: ['/ip4/127.0.0.1/tcp/0'],
    },
  )
  /** Updates that were opened, in order. */
  readonly updates: AdapterUpdate[] = []
  readonly manifests: Manifest[] = []
  /** Keep offers waiting, as a busy cloud peer would. */
  deaf = false
  readonly #blobs = new MemoryBlobStore()
  readonly #exchange = new BlobExchange({ mesh: this.mesh, store: this.#blobs })
  readonly #invites = new Map<string, { secret: Uint8Array; expiresAt: number; usedBy?: string }>()
  readonly #said = new Map<string, Announcement>()
  readonly #announcements = new Announcements(
    { mesh: this.mesh, identity: this.identity },
    {
      runId: RUN_ID,
      cloudPeerId: this.identity.peerId,
      isMember: (peerId) => this.directory.isMember(peerId),
      // A device that is gone before its update is here offers it again.
      onAnnouncement: (announcement) => void this.#take(announcement).catch(() => undefined),
    },
  )
  #open: RoundOpen | undefined

  async start(): Promise<void> {
    const invites = {
      find: (id: string) => this.#invites.get(id),
      use: (id: string, { peerId }: { readonly peerId: string }) => {
        const invite = this.#invites.get(id)
        if (!invite || (invite.usedBy ?? peerId) !== peerId) return false
        invite.usedBy = peerId
        return true
      },
    }
    const { mesh, identity } = this
    const join = new JoinServer(
      { mesh, identity, invites },
      {
        runId: RUN_ID,
        sealingKey: () => this.key.publicKey,
        dpmDigest: () => BASE_DIGEST,
        onJoined: (_, record) => this.directory.add(record),
      },
    )
    await join.serve()
    await serveMembers(mesh, this.directory)
    await this.#exchange.serve()
    await serveState(mesh, {
      runId: RUN_ID,
      stateFor: () => ({
        now: Date.now(),
        announcements: [...this.#said.values()].map(({ bytes }) => bytes),
        membersDigest: this.directory.digest(),
      }),
      takeOffer: (offer) => void this.#announcements.take(offer),
      onRefused: () => undefined,
    })
    this.#announcements.listen()
    await mesh.start()
  }

  stop(): Promise<void> {
    return this.mesh.stop()
  }

  invite(): string {
    const expiresAt = Date.now() + 60_000
    const addresses = this.mesh.addresses()
    const { text, inviteId, secret } = createInvite({ runId: RUN_ID, addresses, expiresAt })
    this.#invites.set(inviteId, { secret, expiresAt })
    return text
  }

  async open(round: number, startVersion?: string): Promise<void> {
    const opensAt = Date.now()
    this.#open = {
      type: 'round-open',
      round,
      rounds: 3,
      baseDigest: BASE_DIGEST,
      ...(startVersion && { startVersion }),
      opensAt,
      deadline: opensAt + 60_000,
      quorum: 1,
      expected: 1,
      strategy: 'exact',
      sealingKey: this.key.publicKey,
      maxUpdateBytes: 1_000_000,
      seed: 1,
    }
    this.#said.set('round', await this.#announcements.publish(this.#open))
  }

  /** Publishes an adapter of `value` as the version of `round`; resolves to its blob. */
  async publish(round: number, value: number): Promise<string> {
    const content = encodeAdapter(adapter(value))
    const expiresAt = Date.now() + 60_000
    const about = { runId: RUN_ID, round, baseDigest: BASE_DIGEST, expiresAt, counter: round }
    const packed = packVersion(this.identity, content, about)
    await storeBlob(this.#blobs, packed)
    const body = {
      type: 'version-published',
      round,
      blobId: packed.blobId,
      baseDigest: BASE_DIGEST,
      sizeBytes: content.length,
    } as const
    this.#said.set('version', await this.#announcements.publish(body))
    return packed.blobId
  }

  async #take({ body, signer }: Announcement): Promise<void> {
    const open = this.#open
    if (body.type !== 'update-offer' || !open || this.deaf) return
    await this.#exchange.fetch(body.blobId, { holders: [signer] })
    const bytes = await this.#blobs.manifest(body.blobId)
    if (!bytes) return
    const { manifest, content } = await openUpdate([this.key], bytes, (index) =>
      this.#blobs.chunk(body.blobId, index),
    )
    const known = this.manifests.some(({ blobId }) => blobId === manifest.blobId)
    if (!known) {
      const last = this.manifests.filter(({ senderId }) => senderId === signer).at(-1)
      checkUpdate(manifest, {
        ...open,
        runId: RUN_ID,
        keyIds: [this.key.keyId],
        maxBytes: open.maxUpdateBytes,
        now: Date.now(),
        senderId: signer,
        lastCounter: last?.counter,
      })
      this.manifests.push(manifest)
      this.updates.push(await decodeUpdate(content))
    }
    const receipt = {
      type: 'update-receipt',
      round: body.round,
      blobId: body.blobId,
      peerId: signer,
      outcome: 'counted',
    } as const
    this.#said.set('receipt', await this.#announcements.publish(receipt))
  }
}
