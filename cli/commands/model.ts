import { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { listModelsCommand } from './model/list.ts'

const SUBCOMMANDS = [listModelsCommand]

/** `cotune model ...`: a file of model/ each. */
export function modelCommand(context: CommandContext): Command {
  const command = new Command('model').description('the models that are on this machine')
  for (const make of SUBCOMMANDS) command.addCommand(make(context))
  return command
}
