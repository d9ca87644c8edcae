import { Command, Help, type Option } from 'commander'
import { packageVersion } from '#base'
import type { CommandContext } from './command-context.ts'
import { chatCommand } from './commands/chat.ts'
import { cloudCommand } from './commands/cloud.ts'
import { daemonCommand } from './commands/daemon.ts'
import { dataCommand } from './commands/data.ts'
import { evalCommand } from './commands/eval.ts'
import { initCommand } from './commands/init.ts'
import { inviteCommand } from './commands/invite.ts'
import { joinCommand } from './commands/join.ts'
import { meshCommand } from './commands/mesh.ts'
import { modelCommand } from './commands/model.ts'
import { roundCommand } from './commands/round.ts'
import { statusCommand } from './commands/status.ts'
import { tuiCommand } from './commands/tui.ts'
import type { Io } from './io.ts'

const EXAMPLES = `
Examples:
  $ cotune mesh                             a whole mesh on this machine, on the examples
  $ cotune init cloud && cotune cloud      on the machine with the large model
  $ cotune invite                           there: prints one line for one device
  $ cotune init && cotune daemon            on each device
  $ cotune join cotune1:...                 there: with that line
  $ cotune data import answers.csv          there: what it may learn from; it never leaves
  $ cotune round start --rounds 3           at the cloud peer
  $ cotune tui                              watch

Exit codes: 0 ok, 1 failure, 2 usage, 3 peer unreachable, 4 unhealthy, 5 configuration,
6 refused, 7 data, 8 privacy, 9 timeout, 10 partial.`

/** The command line as a tree of commands; each file of commands/ is one of them. */
export function createCli(io: Io, setExitCode: CommandContext['setExitCode']): Command {
  const context: CommandContext = { io, setExitCode }
  const program = new Command('cotune')
    .description(
      'Small language models on your own devices and a large one in the cloud teach each other.\nNo data leaves its device.',
    )
    .version(packageVersion())
    .addHelpText('after', EXAMPLES)
  for (const make of [
    meshCommand,
    initCommand,
    daemonCommand,
    cloudCommand,
    inviteCommand,
    joinCommand,
    dataCommand,
    modelCommand,
    statusCommand,
    roundCommand,
    tuiCommand,
    chatCommand,
    evalCommand,
  ]) {
    program.addCommand(make(context))
  }
  everyCommand(program, (command) => {
    command.exitOverride()
    command.configureHelp({ optionDescription })
    // Errors are printed in one place, report-error.ts.
    command.configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      outputError: () => undefined,
    })
  })
  return program
}

/** As commander has it, and says what must be given. */
function optionDescription(option: Option): string {
  const text = new Help().optionDescription(option)
  return option.mandatory ? `${text} (required)` : text
}

function everyCommand(command: Command, change: (command: Command) => void): void {
  change(command)
  for (const child of command.commands) everyCommand(child, change)
}
