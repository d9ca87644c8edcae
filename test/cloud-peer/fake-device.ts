import type { AdapterWeights } from '#learning/aggregate'
import { joinRun, MemberDirectory, type Membership, parseInvite } from '#protocols/membership'
import { createIdentity, type Identity, MeshNode } from '#protocols/mesh'
import {
  type Announcement,
  type AnnouncementBody,
  Announcements,
  fetchState,
  type RoundOpen,
  signAnnouncement,
} from '#protocols/rounds'
import { sealingKeyId, sealUpdate } from '#protocols/sealing'
import { BlobExchange, MemoryBlobStore, readVersion, storeBlob } from '#protocols/transfer'
import { encodeUpdate } from '#protocols/update'

export interface Contribution {
  readonly delta: AdapterWeights
  readonly examples: number
  readonly counter?: number
  /** Change what the manifest says. */
  readonly about?: { readonly round?: number; readonly baseDigest?: string }
}

/** A device as far as the wire shows one: joins, hears of rounds, seals, offers, fetches versions. */
export class FakeDevice {
  readonly identity: Identity = createIdentity()
  readonly heard: Announcement[] = []
  readonly blobs = new MemoryBlobStore()
  #node: MeshNode | undefined
  #exchange: BlobExchange | undefined
  #membership: Membership | undefined
  #cloudId = ''
  #counter = 0

  get peerId(): string {
    return this.identity.peerId
  }

  get runId(): string {
    return this.#membership?.runId ?? ''
  }

  get node(): MeshNode {
    if (!this.#node) throw new Error('the device has not joined')
    return this.#node
  }

  /** Starts a node that knows the cloud peer of the invite; joins by it unless `join` is false. */
  async join(text: string, name: string, join = true): Promise<void> {
    const invite = parseInvite(text, 0)
    const { runId, cloudPeerId } = invite
    this.#cloudId = cloudPeerId
    const directory = new MemberDirectory({ runId, cloudPeerId })
    const node = new MeshNode(
      { identity: this.identity },
      {
        runId,
        isMember: (peerId) => directory.isMember(peerId) || peerId === this.peerId,
        listen: ['/ip4/127.0.0.1/tcp/0'],
        redialMinMs: 50,
        redialMaxMs: 200,
      },
    )
    this.#node = node
    await node.start()
    this.#exchange = new BlobExchange({ mesh: node, store: this.blobs })
    await this.#exchange.serve()
    new Announcements(
      { mesh: node, identity: this.identity },
      {
        runId,
        cloudPeerId,
        isMember: () => true,
        onAnnouncement: (announcement) => this.heard.push(announcement),
      },
    ).listen()
    if (!join) return
    this.#membership = (await joinRun(node, invite, { name })).membership
    node.keep(cloudPeerId, invite.addresses)
  }

  /** Asks the cloud peer what holds now, repeating `offer`. */
  async ask(offer?: Uint8Array): Promise<readonly AnnouncementBody[]> {
    const question = { runId: this.runId, ...(offer ? { offer } : {}) }
    const { announcements } = await fetchState(this.node, this.#cloudId, question)
    const opened = announcements.map((bytes) =>
      new Announcements(
        { mesh: this.node, identity: this.identity },
        {
          runId: this.runId,
          cloudPeerId: this.#cloudId,
          isMember: () => true,
          onAnnouncement: () => undefined,
        },
      ).take(bytes),
    )
    return opened.map(({ body }) => body)
  }

  async openRound(): Promise<RoundOpen | undefined> {
    return (await this.ask()).find((body) => body.type === 'round-open')
  }

  /** Seals an update for `terms`, keeps its blob and returns the signed offer. */
  async seal(terms: RoundOpen, contribution: Contribution): Promise<Uint8Array> {
    const { delta, examples, about } = contribution
    this.#counter = contribution.counter ?? this.#counter + 1
    const expiresAt = Date.now() + 60_000
    const { sealingKey: publicKey } = terms
    const blob = await sealUpdate(
      this.identity,
      { publicKey, keyId: sealingKeyId(publicKey) },
      await encodeUpdate({ delta, examples }, 'float32'),
      {
        runId: this.runId,
        round: terms.round,
        baseDigest: terms.baseDigest,
        ...about,
        counter: this.#counter,
        expiresAt,
      },
    )
    await storeBlob(this.blobs, blob)
    return this.offer(terms.round, blob.blobId)
  }

  /** A signed offer of any blob. */
  offer(round: number, blobId: string): Uint8Array {
    const expiresAt = Date.now() + 60_000
    const body = { type: 'update-offer', round, blobId, sizeBytes: 1_000, expiresAt } as const
    return signAnnouncement(this.identity, this.runId, body, Date.now()).bytes
  }

  /** The content of a version, fetched from the cloud peer. */
  async fetchVersion(blobId: string): Promise<Uint8Array> {
    await this.#exchange?.fetch(blobId, { holders: [this.#cloudId] })
    return (await readVersion(this.blobs, blobId, this.#cloudId)).content
  }

  async stop(): Promise<void> {
    await this.#node?.stop()
  }
}
