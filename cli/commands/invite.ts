import { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { clientOf, durationUpTo, type PeerOptions, plainName, withPeerOptions } from '../options.ts'
import { formatDuration } from '../render/units.ts'

interface InviteOptions extends PeerOptions {
  readonly name?: string
  readonly ttl?: number
}

/** `cotune invite`: one line on stdout that lets one device in, once. */
export function inviteCommand({ io }: CommandContext): Command {
  return withPeerOptions(new Command('invite'))
    .description('at the cloud peer: print an invite for one device, to be used once')
    .option('--name <name>', 'a note of yours: for which device it is', plainName)
    .option('--ttl <time>', 'how long it is valid, e.g. 1h (default: 1d)', durationUpTo('30d'))
    .addHelpText(
      'after',
      '\nThe invite is a secret: send it as you would send a password.\n\nExample:\n  $ cotune invite --name kitchen --ttl 1h | ssh kitchen xargs cotune join',
    )
    .action(async (options: InviteOptions) => {
      const reply = await clientOf(options).call('POST /v1/invites', {
        ...(options.name === undefined ? {} : { name: options.name }),
        ...(options.ttl === undefined ? {} : { ttlMs: options.ttl }),
      })
      io.stdout.write(`${options.json === true ? JSON.stringify(reply) : reply.invite}\n`)
      if (options.json === true) return
      const left = formatDuration(reply.expiresAt - Date.now())
      io.stderr.write(`for one device, valid for ${left}; there: cotune join INVITE\n`)
    })
}
