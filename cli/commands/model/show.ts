import { Command } from 'commander'
import type { CheckpointSummary } from '#learning/models'
import type { CommandContext } from '../../command-context.ts'
import { clean } from '../../render/clean.ts'
import { renderJson } from '../../render/json.ts'
import { formatBytes, formatCount } from '../../render/units.ts'

interface ShowOptions {
  readonly verify?: boolean
  readonly json?: boolean
}

/** `cotune model show DIR`. */
export function showModelCommand({ io }: CommandContext): Command {
  return new Command('show')
    .description('say what a model folder holds; everything but the numbers is checked')
    .argument('<dir>', 'a folder with config.json and model.safetensors, or a model of the library')
    .option('--verify', 'check the numbers too: reads all files, in a few megabytes of memory')
    .option('--json', 'print JSON on stdout')
    .addHelpText(
      'after',
      `
Exits with 7 and says why when the model could not be loaded; oddities that do no harm are warnings.

Examples:
  $ cotune model show ~/models/small
  $ cotune model show ./download --verify --json`,
    )
    .action(async (dir: string, options: ShowOptions) => {
      const { resolveModelFolder } = await import('#learning/library')
      const { checkValues, describeCheckpoint, openCheckpoint } = await import('#learning/models')
      const folder = await resolveModelFolder(dir)
      const checkpoint = await openCheckpoint(folder)
      if (options.verify === true) await checkValues(checkpoint)
      const summary = describeCheckpoint(checkpoint)
      const { warnings } = checkpoint
      const verified = options.verify === true
      if (options.json === true) {
        io.stdout.write(`${renderJson({ folder, ...summary, verified, warnings })}\n`)
        return
      }
      for (const { message } of warnings) io.stderr.write(`warning: ${clean(message)}\n`)
      io.stdout.write(`${render(folder, summary, verified)}\n`)
    })
}

function render(folder: string, summary: CheckpointSummary, verified: boolean): string {
  const { heads, keyValueHeads, headSize, tokenizer, files, dtypes } = summary
  const shared = keyValueHeads === heads ? '' : ` (${keyValueHeads} of keys and values)`
  const stored = Object.entries(dtypes).map(([dtype, count]) => `${formatCount(count)} ${dtype}`)
  const fileNames = files.length === 1 ? files[0]!.name : `${files.length} files`
  const rows = [
    ['folder', folder],
    [
      'family',
      `${summary.family}: ${summary.layers} layers, hidden ${summary.hiddenSize}, ` +
        `${heads} heads of ${headSize}${shared}, MLP ${summary.intermediateSize}`,
    ],
    ['parameters', `${formatCount(summary.parameters)}; stored ${stored.join(', ')}`],
    ['vocabulary', `${summary.vocabularySize}, head ${summary.tiedHead ? 'tied' : 'untied'}`],
    ['context', `${summary.contextLength} tokens`],
    ['tokenizer', tokenizer ? `${tokenizer.kind}, ${tokenizer.vocabularySize} tokens` : 'none'],
    [
      'weights',
      `${formatBytes(summary.storedBytes)} in ${fileNames}; ` +
        `${formatBytes(summary.float32Bytes)} in memory as float32`,
    ],
    ['numbers', verified ? 'all finite' : 'not read (--verify reads them)'],
  ]
  return rows.map(([key = '', value = '']) => `${key.padEnd(10)}  ${clean(value)}`).join('\n')
}
