export type { CloudPeer } from './cloud-peer.ts'
export { type CloudConfig, type CloudConfigInput, cloudConfigSchema } from './config.ts'
export { type CloudPeerInit, createCloudPeer } from './create-cloud-peer.ts'
export type { Tuner } from './tuner.ts'
