import { Command } from 'commander'
import { EXIT } from '#base'
import type { ApiClient, Status } from '#protocols/api'
import type { CommandContext } from '../command-context.ts'
import { clientOf, type PeerOptions, withPeerOptions } from '../options.ts'
import { describeEvent } from '../render/describe-event.ts'
import { renderStatus } from '../render/render-status.ts'
import { stopOnSignal } from '../stop-on-signal.ts'

interface StatusOptions extends PeerOptions {
  readonly watch?: boolean
}

/** `cotune status`: one page, or JSON; the exit code is the health. */
export function statusCommand(context: CommandContext): Command {
  return withPeerOptions(new Command('status'))
    .description('show how a running peer is; exits with 4 when it is not well')
    .option('--watch', 'then print what happens, a line an event, until Ctrl-C')
    .addHelpText(
      'after',
      '\nExamples:\n  $ cotune status\n  $ cotune status --json | jq .peers\n  $ cotune status --watch --home ~/kitchen',
    )
    .action(async (options: StatusOptions) => {
      const client = clientOf(options)
      const status = await client.call('GET /v1/status', undefined)
      const text = options.json === true ? JSON.stringify(status) : renderStatus(status)
      context.io.stdout.write(`${text}\n`)
      context.setExitCode(isWell(status) ? EXIT.ok : EXIT.unhealthy)
      if (options.watch === true) await watch(client, status, options, context)
    })
}

function isWell(status: Status): boolean {
  return status.ready && status.alerts.every(({ severity }) => severity !== 'error')
}

async function watch(
  client: ApiClient,
  status: Status,
  options: StatusOptions,
  { io, setExitCode }: CommandContext,
): Promise<void> {
  const stop = stopOnSignal()
  for await (const entry of client.events(status.sequence, stop.signal)) {
    const line =
      options.json === true
        ? JSON.stringify(entry)
        : `${new Date(entry.at).toISOString()} ${describeEvent(entry.event)}`
    io.stdout.write(`${line}\n`)
  }
  stop.release()
  setExitCode(EXIT.ok)
}
