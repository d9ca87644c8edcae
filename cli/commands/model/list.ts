import { Command } from 'commander'
import { modelLibraryPath } from '#base'
import type { LibraryModel } from '#learning/library'
import type { CommandContext } from '../../command-context.ts'
import { renderTable } from '../../render/table.ts'
import { formatBytes, formatCount } from '../../render/units.ts'

/** `cotune model list`. */
export function listModelsCommand({ io }: CommandContext): Command {
  return new Command('list')
    .description('list the models of the library')
    .option('--json', 'print JSON on stdout')
    .addHelpText('after', '\nExamples:\n  $ cotune model list\n  $ cotune model list --json')
    .action(async (options: { readonly json?: boolean }) => {
      const { ModelLibrary } = await import('#learning/library')
      const library = new ModelLibrary(modelLibraryPath(io.env))
      const models = await library.list()
      if (options.json === true) io.stdout.write(`${JSON.stringify(models.map(toJson))}\n`)
      else if (models.length > 0) io.stdout.write(`${render(models)}\n`)
      else io.stderr.write(`${library.folder} holds no model; cotune model pull ORG/NAME\n`)
      for (const { name, revision } of await library.partials())
        io.stderr.write(
          `not whole yet: ${name}@${revision.slice(0, 12)}; pull it again, or remove it\n`,
        )
    })
}

function toJson({ folder, manifest }: LibraryModel) {
  const { format: _, files, ...rest } = manifest
  return { ...rest, sizeBytes: sizeOf(files), folder, files }
}

const HEAD = ['name', 'family', 'parameters', 'size', 'revision', 'added']

function render(models: readonly LibraryModel[]): string {
  const rows = models.map(({ manifest }) => [
    manifest.name,
    manifest.family,
    formatCount(manifest.parameters),
    formatBytes(sizeOf(manifest.files)),
    [manifest.revision.slice(0, 12), ...manifest.labels].join(' '),
    manifest.addedAt.slice(0, 10),
  ])
  return renderTable(HEAD, rows, ['parameters', 'size'])
}

function sizeOf(files: readonly { readonly sizeBytes: number }[]): number {
  return files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
}
