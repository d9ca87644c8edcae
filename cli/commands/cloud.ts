import { Command } from 'commander'
import { cotuneHome, createLogger, loadConfig } from '#base'
import type { CommandContext } from '../command-context.ts'
import { configPath } from '../config-file.ts'
import { addRunOptions, type RunOptions } from '../run-options.ts'
import { runPeer } from '../run-peer.ts'

/** `cotune cloud`: the cloud peer, in the foreground. */
export function cloudCommand({ io, setExitCode }: CommandContext): Command {
  return addRunOptions(new Command('cloud'))
    .description('run the cloud peer in the foreground: the large model, invites, rounds')
    .addHelpText(
      'after',
      `
Logs are JSON lines on stderr. SIGTERM or Ctrl-C stops in order; a round under way goes on at the next start.

Examples:
  $ cotune cloud
  $ cotune cloud --home ~/cloud --listen /ip4/0.0.0.0/tcp/4001`,
    )
    .action(async (options: RunOptions) => {
      const home = cotuneHome(options.home)
      const { cloudConfigSchema, createCloudPeer } = await import('#cloud-peer')
      const { value: config } = loadConfig(cloudConfigSchema, {
        path: configPath(home),
        env: io.env,
        overrides: { home, listen: options.listen },
      })
      const logger = createLogger({ name: 'cloud', level: options.logLevel })
      const create = (requestStop: () => void) => createCloudPeer({ config, logger, requestStop })
      setExitCode(
        await runPeer({ create, logger, stopWithParent: options.stopWithParent === true }),
      )
    })
}
