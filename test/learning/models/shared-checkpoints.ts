import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { packagePath } from '#base'

const root = packagePath('..', 'shared', 'checkpoints')

/** Recorded checkpoints lie beside the clone on some machines only. */
export const hasSharedCheckpoints = existsSync(root)

/** Appended to the names of tests that need them, so that a skip says why. */
export const REASON = hasSharedCheckpoints ? '' : ' (skipped: ../shared/checkpoints is absent)'

export function sharedCheckpoint(...parts: readonly string[]): string {
  return join(root, ...parts)
}
