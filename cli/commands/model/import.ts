import { Command } from 'commander'
import { modelLibraryPath } from '#base'
import type { CommandContext } from '../../command-context.ts'
import { reportAdded } from '../../hub/report-added.ts'

interface ImportOptions {
  readonly name?: string
  readonly json?: boolean
}

/** `cotune model import DIR`. */
export function importModelCommand({ io }: CommandContext): Command {
  return new Command('import')
    .description('check a model folder and copy it into the library')
    .argument('<dir>', 'config.json, model.safetensors or its shards, tokenizer.json')
    .option('--name <name>', "what to call it, e.g. me/small (default: the folder's name)")
    .option('--json', 'print JSON on stdout')
    .addHelpText(
      'after',
      '\nExamples:\n  $ cotune model import ~/checkpoints/my-small-model\n  $ cotune model import ./out --name me/kitchen',
    )
    .action(async (folder: string, options: ImportOptions) => {
      const { importModel, ModelLibrary } = await import('#learning/library')
      const library = new ModelLibrary(modelLibraryPath(io.env))
      reportAdded(await importModel(library, folder, options.name), options.json === true, io)
    })
}
