import { type Command, Option } from 'commander'
import type { LogLevel } from '#base'
import { addressList } from './options.ts'

/** Options of the commands that run a peer. */
export interface RunOptions {
  readonly home?: string
  readonly listen?: readonly string[]
  readonly logLevel: LogLevel
  readonly stopWithParent?: boolean
}

export function addRunOptions(command: Command): Command {
  return command
    .option('--home <dir>', "the peer's folder (default: $COTUNE_HOME, else ~/.local/share/cotune)")
    .option(
      '--listen <addresses>',
      'multiaddrs, separated by commas, e.g. /ip4/0.0.0.0/tcp/4001',
      addressList,
    )
    .addOption(
      new Option('--log-level <level>', 'what to log')
        .choices(['debug', 'info', 'warn', 'error'])
        .default('info'),
    )
    .addOption(
      new Option('--stop-with-parent', 'stop when the IPC channel to the parent closes').hideHelp(),
    )
}
