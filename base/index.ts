import './promise-with-resolvers.ts'

export { createBreather } from './breather.ts'
export { byteSize } from './byte-size.ts'
export {
  bytesOf,
  concatBytes,
  equalBytes,
  fromHex,
  sha256,
  sha256Hex,
  toHex,
  utf8,
} from './bytes.ts'
export { type Clock, systemClock } from './clock.ts'
export { closeOnFailure } from './close-on-failure.ts'
export { type ConfigSources, type LoadedConfig, loadConfig } from './config.ts'
export { didYouMean } from './did-you-mean.ts'
export { type Content, createDigestFiles, type DigestFiles } from './digest-files.ts'
export { digestOf } from './digest-of.ts'
export {
  CotuneError,
  type CotuneErrorInit,
  EXIT,
  type ExitCode,
  errorMessage,
  isCotuneError,
} from './errors.ts'
export { EventLog, type Numbered } from './event-log.ts'
export { syncFolder, writeFileAtomic } from './files.ts'
export { cotuneHome, modelCachePath, modelLibraryPath } from './home.ts'
export { isObject } from './is-object.ts'
export { type Job, JobQueue } from './job-queue.ts'
export { type Startable, startAll, stopAll } from './lifecycle.ts'
export {
  createLogger,
  type Logger,
  type LoggerInit,
  type LogLevel,
  silentLogger,
} from './logger.ts'
export { LoopMonitor } from './loop-monitor.ts'
export { packagePath, packageVersion } from './package-root.ts'
export { createRandom, type Random } from './random.ts'
export { cut, type Range } from './ranges.ts'
export { type JsonReading, readJson } from './read-json.ts'
export { openRegularFile, readRegularFile } from './regular-files.ts'
export { importError } from './rows/import-error.ts'
export { readRows } from './rows/read-rows.ts'
export type { BrokenRow, Row, RowSource } from './rows/row.ts'
export { escapeControls, shown, shownJson } from './shown.ts'
export {
  closeDatabase,
  type Database,
  type DatabaseInit,
  inTransaction,
  openDatabase,
} from './sqlite.ts'
export { storageError } from './storage-error.ts'
export { Wake } from './wake.ts'
export type { WorkerContext } from './worker/messages.ts'
export { serveWorker } from './worker/serve-worker.ts'
export { workerEntry } from './worker/worker-entry.ts'
export { WorkerHost } from './worker/worker-host.ts'
