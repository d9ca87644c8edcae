export { type Authority, openAnnouncement, signAnnouncement } from './announcement.ts'
export {
  Announcements,
  type AnnouncementsComponents,
  type AnnouncementsInit,
} from './announcements.ts'
export { ReplayWindow } from './replay-window.ts'
export {
  isOver,
  type Offer,
  openRound,
  type Received,
  type Refused,
  type RoundEvent,
  type RoundState,
  reduceRound,
} from './round-state.ts'
export {
  fetchState,
  type RunState,
  STATE_PROTOCOL,
  type StateServerInit,
  serveState,
} from './state-exchange.ts'
export { StateSync, type StateSyncInit } from './state-sync.ts'
export type {
  Announcement,
  AnnouncementBody,
  RoundClosed,
  RoundOpen,
  RoundTerms,
  Strategy,
  UpdateOffer,
  UpdateReceipt,
  VersionPublished,
} from './types.ts'
