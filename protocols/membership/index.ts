export { createInvite, type Invite, inviteId, parseInvite } from './invite.ts'
export {
  type InviteStore,
  type IssuedInvite,
  JoinServer,
  type JoinServerComponents,
  type JoinServerInit,
  joinRun,
} from './join.ts'
export { JOIN_PROTOCOL, type JoinRefusal } from './join-messages.ts'
export { MemberDirectory, type MemberEntry } from './member-directory.ts'
export { fetchMembers, MEMBERS_PROTOCOL, serveMembers } from './members-exchange.ts'
export {
  type Membership,
  openMembership,
  openRevocations,
  type Revocations,
  type Role,
  signMembership,
  signRevocations,
} from './membership.ts'
