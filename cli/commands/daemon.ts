import { Command } from 'commander'
import { cotuneHome, createLogger, loadConfig } from '#base'
import type { CommandContext } from '../command-context.ts'
import { configPath } from '../config-file.ts'
import { addRunOptions, type RunOptions } from '../run-options.ts'
import { runPeer } from '../run-peer.ts'

/** `cotune daemon`: a device, in the foreground. */
export function daemonCommand({ io, setExitCode }: CommandContext): Command {
  return addRunOptions(new Command('daemon'))
    .description('run a device in the foreground: keeps its data, trains, takes part in rounds')
    .addHelpText(
      'after',
      `
Logs are JSON lines on stderr. SIGTERM or Ctrl-C stops in order; what was under way goes on at the next start.

Examples:
  $ cotune daemon
  $ cotune daemon --home ~/kitchen --listen /ip4/0.0.0.0/tcp/4002
  $ cotune daemon --log-level debug 2> daemon.log`,
    )
    .action(async (options: RunOptions) => {
      const home = cotuneHome(options.home)
      const { createDaemon, daemonConfigSchema } = await import('#daemon')
      const { value: config } = loadConfig(daemonConfigSchema, {
        path: configPath(home),
        env: io.env,
        overrides: { home, listen: options.listen },
      })
      const logger = createLogger({ name: 'device', level: options.logLevel })
      const create = (requestStop: () => void) => {
        const daemon = createDaemon(config, { logger })
        void daemon.stopRequested.then(requestStop)
        return daemon
      }
      setExitCode(
        await runPeer({ create, logger, stopWithParent: options.stopWithParent === true }),
      )
    })
}
