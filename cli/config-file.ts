import { join } from 'node:path'
import { stringify } from 'smol-toml'
import type { Role } from '#protocols/api'

/** What `init` and `mesh` write into a new config.toml; the schema of each role knows more keys. */
export interface InitialConfig {
  readonly name: string
  /** Multiaddrs. */
  readonly listen: readonly string[]
  /** Checkpoint folders: slm and dpm on a device, llm and dpm in the cloud. */
  readonly models: Readonly<Partial<Record<'slm' | 'dpm' | 'llm', string>>>
  readonly engine?: { readonly threads?: number }
  readonly seed?: string
}

/** Where a peer's configuration is. */
export function configPath(home: string): string {
  return join(home, 'config.toml')
}

/** The text of config.toml. */
export function renderConfig(role: Role, config: InitialConfig): string {
  const command = role === 'device' ? 'cotune daemon' : 'cotune cloud'
  return `# Read by \`${command}\`. Unknown keys are errors. Variables such as COTUNE_ENGINE__THREADS=2 and flags win.\n\n${stringify(config)}`
}
