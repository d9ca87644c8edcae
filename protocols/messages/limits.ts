/**
 * Hard limits of the wire, in one place; docs/protocol.md lists them. A message past one is
 * refused, never trimmed.
 */
export const LIMITS = {
  /**
   * A gossiped announcement. Larger gossip would be slow and, past libp2p's own limit, silently
   * lost.
   */
  announcementBytes: 4 * 1024,
  /** Invitations, memberships, requests and other control messages. */
  controlBytes: 16 * 1024,
  /** An answer that lists members or announcements. */
  listBytes: 1024 * 1024,
  /** A manifest with the hashes of 1,024 chunks is about 36 KiB. */
  manifestBytes: 64 * 1024,
  /** Ciphertext per chunk; the last chunk may be shorter. */
  chunkBytes: 256 * 1024,
  /** Chunks per blob: 256 MiB in all. */
  chunks: 1_024,
  /** A chunk with its envelope. */
  chunkFrameBytes: 256 * 1024 + 1_024,
  /** Characters of a run id, a device name, a peer id, an address. */
  runIdChars: 64,
  nameChars: 64,
  peerIdChars: 96,
  addressChars: 256,
  addresses: 16,
  members: 1_000,
  /** Rounds of one run. */
  rounds: 1_000_000,
} as const
