import { CotuneError, sha256Hex } from '#base'
import { openSigned, type Signer, signBody } from '#protocols/messages'
import { announcementCodec } from './announcement-codec.ts'
import type { Announcement, AnnouncementBody } from './types.ts'

/** Who may say what in a run. */
export interface Authority {
  readonly runId: string
  readonly cloudPeerId: string
  readonly isMember: (peerId: string) => boolean
}

/** Signs an announcement. */
export function signAnnouncement(
  signer: Signer,
  runId: string,
  body: AnnouncementBody,
  issuedAt: number,
): Announcement {
  const bytes = signBody(
    signer,
    'announcement',
    announcementCodec.encode({ runId, issuedAt, body }),
  )
  return { runId, issuedAt, body, signer: signer.peerId, id: sha256Hex(bytes), bytes }
}

/**
 * Reads an announcement and checks that its signer may say it: devices offer updates, everything
 * else is the cloud peer's word.
 * @throws ANNOUNCEMENT_WRONG_RUN, ANNOUNCEMENT_UNAUTHORISED, PROTOCOL_*
 */
export function openAnnouncement(bytes: Uint8Array, authority: Authority): Announcement {
  const opened = openSigned('announcement', bytes)
  const { runId, issuedAt, body } = announcementCodec.decode(opened.body)
  const { signer } = opened
  if (runId !== authority.runId) {
    throw new CotuneError('ANNOUNCEMENT_WRONG_RUN', `An announcement of the run ${runId}.`, {
      hint: 'It was dropped; a peer takes part in one run at a time.',
      data: { found: runId, expected: authority.runId },
    })
  }
  const allowed =
    signer === authority.cloudPeerId || (body.type === 'update-offer' && authority.isMember(signer))
  if (!allowed) {
    throw new CotuneError('ANNOUNCEMENT_UNAUTHORISED', `${signer} may not announce ${body.type}.`, {
      hint: 'Only the cloud peer leads rounds, and only members offer updates; it was dropped.',
      data: { signer, type: body.type },
    })
  }
  return { runId, issuedAt, signer, body, id: sha256Hex(bytes), bytes }
}
