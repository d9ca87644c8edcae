import { Command } from 'commander'
import { cotuneHome } from '#base'
import { controlSocketPath } from '#protocols/api'
import type { CommandContext } from '../program.ts'

/** `cotune tui`: the screens of a running peer. */
export function tuiCommand({ setExitCode }: CommandContext): Command {
  return new Command('tui')
    .alias('top')
    .description('watch a running peer full-screen: mesh, round, loss, data and privacy, events')
    .option('--home <dir>', "the peer's folder (default: $COTUNE_HOME, else ~/.local/share/cotune)")
    .option('--ascii', 'draw with ASCII only')
    .option('--once', 'print one frame and end')
    .addHelpText(
      'after',
      '\nWhat is not a terminal gets one page of plain text.\n\nExamples:\n  $ cotune tui\n  $ cotune tui --home ~/cloud\n  $ cotune tui --once | less',
    )
    .action(async (options: { home?: string; ascii?: boolean; once?: boolean }) => {
      const { runTui } = await import('#tui')
      const socketPath = controlSocketPath(cotuneHome(options.home))
      setExitCode(
        (await runTui({
          socketPath,
          ...(options.ascii === undefined ? {} : { ascii: options.ascii }),
          ...(options.once === undefined ? {} : { once: options.once }),
        })) ?? 0,
      )
    })
}
