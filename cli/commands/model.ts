import { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { fitModelCommand } from './model/fit.ts'
import { importModelCommand } from './model/import.ts'
import { listModelsCommand } from './model/list.ts'
import { pullModelCommand } from './model/pull.ts'
import { removeModelCommand } from './model/remove.ts'
import { showModelCommand } from './model/show.ts'
import { verifyModelCommand } from './model/verify.ts'

const SUBCOMMANDS = [
  pullModelCommand,
  importModelCommand,
  listModelsCommand,
  showModelCommand,
  verifyModelCommand,
  fitModelCommand,
  removeModelCommand,
]

/** `cotune model ...`: a file of model/ each. */
export function modelCommand(context: CommandContext): Command {
  const command = new Command('model').description('the models that are on this machine')
  for (const make of SUBCOMMANDS) command.addCommand(make(context))
  return command
}
