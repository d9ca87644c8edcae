import type { EngineInfo } from '#engine'
import type { Alert } from './types.ts'

/** What to tell of a peer that looked for something faster than the CPU and found it unusable. */
export function engineAlert({ provider, probes }: EngineInfo): Omit<Alert, 'since'> | undefined {
  const failed = probes.filter(({ works }) => !works)
  if (provider !== 'cpu' || failed.length === 0) return undefined
  return {
    code: 'ENGINE_ON_CPU',
    severity: 'warning',
    text: `learning runs on the CPU; ${failed.map(({ name, reason }) => `${name}: ${reason}`).join('; ')}`,
    hint: 'install what the provider needs (docs/operations.md), or set engine.provider = "cpu"',
  }
}
