export { type DaemonConfig, type DaemonConfigInput, daemonConfigSchema } from './config.ts'
export { createDaemon, type Daemon, type DaemonComponents } from './create-daemon.ts'
export type { TuneResult, Tuner } from './tuner.ts'
