import type { EngineInfo } from '#engine'
import type { Alert } from './types.ts'

/** What to tell of a peer that looked for something faster and learns on what is left. */
export function engineAlert({
  executor,
  provider,
  probes,
}: EngineInfo): Omit<Alert, 'since'> | undefined {
  const failed = probes.filter(({ works }) => !works)
  if (failed.length === 0) return undefined
  const why = failed.map(({ name, reason }) => `${name}: ${reason}`).join('; ')
  return {
    code: 'ENGINE_FALLBACK',
    severity: 'warning',
    text: `learning runs on ${provider} (${executor}); ${why}`,
    hint: 'install what it lacks (docs/operations.md, Hardware), or set engine.provider and engine.executor to what is there',
  }
}
