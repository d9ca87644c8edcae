import type { CloudStore } from '../store/cloud-store.ts'

/** Versions that devices may still ask for. */
const KEPT_VERSIONS = 3

/** Removes blobs that nobody needs any more: merged or refused updates, old versions, what a crash left over. */
export async function sweepBlobs(store: CloudStore): Promise<void> {
  const needed = new Set(store.versions.recent(KEPT_VERSIONS).map(({ blob }) => blob))
  const open = store.rounds.unfinished()
  const next = open?.round ?? (store.versions.latest()?.version ?? 0) + 1
  for (const { blob, state } of store.contributions.of(next))
    if (state === 'offered' || state === 'received') needed.add(blob)
  for (const blob of await store.blobs.list()) if (!needed.has(blob)) await store.blobs.remove(blob)
}
