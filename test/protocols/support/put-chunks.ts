// Run as a process of its own and killed: puts the chunks of a blob into a FileBlobStore, telling
// each that is done.
import { createIdentity } from '#protocols/mesh'
import { FileBlobStore, packVersion } from '#protocols/transfer'
import { ABOUT } from './packed.ts'

const [dir = ''] = process.argv.slice(2)
const content = new Uint8Array(40 * 256 * 1024).map((_, i) => i >> 13)
const blob = packVersion(createIdentity(), content, ABOUT)
const store = new FileBlobStore(dir)
await store.putManifest(blob.blobId, blob.manifest)
process.stdout.write(`${blob.blobId}\n`)
for (const [index, chunk] of blob.chunks.entries()) {
  await store.putChunk(blob.blobId, index, chunk)
  process.stdout.write(`${index}\n`)
}
