import { Command } from 'commander'
import { modelLibraryPath } from '#base'
import type { CommandContext } from '../../command-context.ts'
import { formatBytes } from '../../render/units.ts'

/** `cotune model remove NAME`. */
export function removeModelCommand({ io }: CommandContext): Command {
  return new Command('remove')
    .description('remove a model from the library: all its revisions, or the one that is named')
    .argument('<name>', 'ORG/NAME, or ORG/NAME@REVISION')
    .option('--json', 'print JSON on stdout')
    .addHelpText(
      'after',
      `
A download that was broken off is removed, too. A peer that is set to use the model will not start again without it.

Examples:
  $ cotune model remove HuggingFaceTB/SmolLM2-135M
  $ cotune model remove HuggingFaceTB/SmolLM2-135M@93efa2f`,
    )
    .action(async (name: string, options: { readonly json?: boolean }) => {
      const { ModelLibrary } = await import('#learning/library')
      const removed = await new ModelLibrary(modelLibraryPath(io.env)).remove(name)
      if (options.json === true) io.stdout.write(`${JSON.stringify(removed)}\n`)
      else
        for (const { name, revision, freedBytes } of removed)
          io.stdout.write(
            `removed ${name}@${revision.slice(0, 12)}, ${formatBytes(freedBytes)} freed\n`,
          )
    })
}
