import { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { clientOf, type PeerOptions, withPeerOptions } from '../options.ts'

/** `cotune join INVITE`. */
export function joinCommand({ io }: CommandContext): Command {
  return withPeerOptions(new Command('join'))
    .description('on a device: join the mesh of an invite')
    .argument('<invite>', 'the line that `cotune invite` printed: cotune1:...')
    .addHelpText('after', '\nExample:\n  $ cotune join cotune1:...')
    .action(async (invite: string, options: PeerOptions) => {
      const reply = await clientOf(options).call('POST /v1/join', { invite })
      const text = `joined mesh ${reply.runId} of cloud peer ${reply.cloudId}`
      io.stdout.write(`${options.json === true ? JSON.stringify(reply) : text}\n`)
      if (options.json !== true) io.stderr.write('next: cotune data import FILE\n')
    })
}
