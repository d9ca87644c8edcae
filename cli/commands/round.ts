import { Command } from 'commander'
import { CotuneError, EXIT } from '#base'
import type { CommandContext } from '../command-context.ts'
import {
  clientOf,
  durationUpTo,
  type PeerOptions,
  positiveInteger,
  withPeerOptions,
} from '../options.ts'
import { renderRound } from '../render/render-round.ts'

interface StartOptions extends PeerOptions {
  readonly rounds: number
  readonly quorum?: number
  readonly deadline?: number
}

/** `cotune round [start | stop]`. */
export function roundCommand(context: CommandContext): Command {
  return withPeerOptions(new Command('round'))
    .description('show the present round, or start rounds at the cloud peer')
    .addCommand(startCommand(context))
    .addCommand(stopCommand(context))
    .addHelpText(
      'after',
      '\nExamples:\n  $ cotune round\n  $ cotune round start --rounds 3 --quorum 2 --deadline 30m\n  $ cotune round stop',
    )
    .action(async (options: PeerOptions) => {
      const { round } = await clientOf(options).call('GET /v1/status', undefined)
      if (options.json === true) context.io.stdout.write(`${JSON.stringify(round)}\n`)
      else if (round !== null) context.io.stdout.write(`${renderRound(round)}\n`)
      else throw noRound()
    })
}

function startCommand({ io }: CommandContext): Command {
  return withPeerOptions(new Command('start'))
    .description('begin rounds; they then run by themselves')
    .option('--rounds <n>', 'how many', positiveInteger, 3)
    .option(
      '--quorum <n>',
      'fewest updates that make a round count (default: rounds.quorum of config.toml, 2)',
      positiveInteger,
    )
    .option(
      '--deadline <time>',
      'how long a round waits for updates, e.g. 30m (default: rounds.deadlineMs of config.toml, 1h)',
      durationUpTo('7d'),
    )
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<StartOptions>()
      const round = await clientOf(options).call('POST /v1/run', {
        rounds: options.rounds,
        ...(options.quorum === undefined ? {} : { quorum: options.quorum }),
        ...(options.deadline === undefined ? {} : { deadlineMs: options.deadline }),
      })
      io.stdout.write(`${options.json === true ? JSON.stringify(round) : renderRound(round)}\n`)
    })
}

function stopCommand({ io }: CommandContext): Command {
  return withPeerOptions(new Command('stop'))
    .description('open no further round')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<PeerOptions>()
      await clientOf(options).call('POST /v1/run/stop', {})
      io.stdout.write(options.json === true ? '{}\n' : 'no further round will open\n')
    })
}

function noRound(): CotuneError {
  return new CotuneError('ROUND_NONE', 'there was no round yet', {
    hint: 'at the cloud peer: cotune round start --rounds 3',
    exit: EXIT.unhealthy,
  })
}
