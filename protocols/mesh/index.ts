export { checkPrivate, createIdentity, type Identity, loadIdentity } from './identity.ts'
export { announcementTopic, MeshNode } from './mesh-node.ts'
export { RateLimit } from './rate-limit.ts'
export type { Bytes, Traffic } from './traffic.ts'
export type {
  GossipValidator,
  MeshComponents,
  MeshEvent,
  MeshInit,
  PeerLink,
  StreamCall,
  StreamHandler,
  StreamProtocol,
  Verdict,
} from './types.ts'
