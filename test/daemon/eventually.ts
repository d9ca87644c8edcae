import { vi } from 'vitest'

/** Waits until `check` throws no more; patient, since gossip may be lost and test machines may be busy. */
export function eventually(check: () => unknown): Promise<unknown> {
  return vi.waitFor(check, { timeout: 60_000, interval: 30 })
}
