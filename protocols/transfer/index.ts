export {
  BlobExchange,
  type BlobExchangeComponents,
  type BlobExchangeInit,
  type FetchOptions,
} from './blob-exchange.ts'
export { type BlobStore, type PackedBlob, storeBlob } from './blob-store.ts'
export { BLOB_PROTOCOL } from './constants.ts'
export type { FetchProgress } from './fetch-blob.ts'
export { FileBlobStore } from './file-blob-store.ts'
export {
  type BlobKind,
  encodeCore,
  MAX_BLOB_BYTES,
  type Manifest,
  type ManifestCore,
  openManifest,
  signManifest,
} from './manifest.ts'
export { MemoryBlobStore } from './memory-blob-store.ts'
export { checkVersion, packVersion, readVersion, splitChunks } from './version-blob.ts'
