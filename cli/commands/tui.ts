import { Command } from 'commander'
import { CotuneError, cotuneHome, EXIT } from '#base'
import { controlSocketPath, createApiClient } from '#protocols/api'
import { durationMs } from '../options.ts'

interface TuiOptions {
  readonly home?: string
  readonly screen?: string
  readonly refresh?: number
  readonly ascii?: boolean
  readonly once?: boolean
}

/** `cotune tui`: the screens of a running peer. */
export function tuiCommand(): Command {
  return new Command('tui')
    .alias('top')
    .description('watch a running peer full-screen: mesh, round, loss, data and privacy, events')
    .option('--home <dir>', "the peer's folder (default: $COTUNE_HOME, else ~/.local/share/cotune)")
    .option(
      '--screen <name>',
      'the screen to begin with: mesh, round, loss, data, events or help (default: mesh)',
    )
    .option(
      '--refresh <time>',
      'paint at most so often, e.g. 5s on a slow line (default: 250ms)',
      durationMs,
    )
    .option('--ascii', 'draw with ASCII only')
    .option('--once', 'print one frame and end')
    .addHelpText(
      'after',
      '\nWhat is not a terminal gets one page of plain text.\n\nExamples:\n  $ cotune tui\n  $ cotune tui --home ~/cloud --screen round\n  $ cotune tui --once | less',
    )
    .action(async (options: TuiOptions) => {
      const { runTui, SCREENS } = await import('#tui')
      const screen = SCREENS.find((name) => name === options.screen)
      if (options.screen !== undefined && screen === undefined) {
        throw noScreen(options.screen, SCREENS)
      }
      await runTui({
        client: createApiClient(controlSocketPath(cotuneHome(options.home))),
        stdout: process.stdout,
        stdin: process.stdin,
        ...(screen === undefined ? {} : { screen }),
        ...(options.refresh === undefined ? {} : { refreshMs: options.refresh }),
        ...(options.ascii === undefined ? {} : { ascii: options.ascii }),
        ...(options.once === undefined ? {} : { once: options.once }),
      })
    })
}

function noScreen(name: string, known: readonly string[]): CotuneError {
  return new CotuneError('TUI_NO_SCREEN', `there is no screen ${name}`, {
    hint: `there are: ${known.join(', ')}`,
    exit: EXIT.usage,
  })
}
