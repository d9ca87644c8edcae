import { Command } from 'commander'
import type { Fit, FitOption } from '#learning/fit'
import type { CommandContext } from '../../command-context.ts'
import { positiveInteger, sizeInBytes } from '../../options.ts'
import { renderJson } from '../../render/json.ts'
import { renderTable } from '../../render/table.ts'
import { formatBytes } from '../../render/units.ts'

interface FitOptions {
  readonly memory: number
  readonly batch: number
  readonly length: number
  readonly rank: number
  readonly json?: boolean
}

/** `cotune model fit DIR --memory 4GB`. */
export function fitModelCommand({ io }: CommandContext): Command {
  return new Command('fit')
    .description('say which settings let a model be tuned within a memory, before any training')
    .argument('<dir>', 'a folder with config.json and model.safetensors, or a model of the library')
    .requiredOption('--memory <size>', 'what the process may take: 4GB, 900MB, 4GiB', sizeInBytes)
    .option('--batch <rows>', 'rows of tokens a step', positiveInteger, 8)
    .option('--length <tokens>', 'tokens a row', positiveInteger, 128)
    .option('--rank <r>', 'rank of the adapter, on every linear layer', positiveInteger, 8)
    .option('--json', 'print JSON on stdout')
    .addHelpText(
      'after',
      `
The estimate is of one model in one process: its training step by LoRA, all positions supervised. A device that co-tunes
has two models, its own and the proxy. Exits with 1 where nothing fits.

Examples:
  $ cotune model fit ~/models/small --memory 4GB
  $ cotune model fit HuggingFaceTB/SmolLM2-135M --memory 900MB --batch 4 --json`,
    )
    .action(async (dir: string, options: FitOptions) => {
      const { resolveModelFolder } = await import('#learning/library')
      const { openCheckpoint } = await import('#learning/models')
      const { fitStep } = await import('#learning/fit')
      const folder = await resolveModelFolder(dir)
      const checkpoint = await openCheckpoint(folder)
      const { memory: memoryBytes, batch, length, rank } = options
      const fit = fitStep({ checkpoint, memoryBytes, batch, length, rank })
      const json = renderJson({ folder, memoryBytes, batch, length, rank, ...fit })
      io.stdout.write(`${options.json === true ? json : render(fit, memoryBytes)}\n`)
      if (!fit.best) process.exitCode = 1
    })
}

function render({ options, best }: Fit, memoryBytes: number): string {
  const rows = options.map((option) => [
    option === best ? '->' : '',
    option.precision,
    option.recompute,
    `${option.batch}${option.accumulate > 1 ? ` x ${option.accumulate}` : ''}`,
    formatBytes(option.memory.weights),
    formatBytes(option.memory.activations),
    formatBytes(option.memory.total),
    option.fits ? 'yes' : 'no',
  ])
  const head = ['', 'base', 'recompute', 'batch', 'weights', 'activations', 'in all', 'fits']
  const right = ['weights', 'activations', 'in all']
  return `${renderTable(head, rows, right)}\n\n${advice(best, memoryBytes)}`
}

function advice(best: FitOption | undefined, memoryBytes: number): string {
  if (!best)
    return `Nothing fits into ${formatBytes(memoryBytes)}: take a smaller model, or a shorter --length.`
  const { precision, recompute, batch, accumulate } = best
  return [
    'In config.toml:',
    '',
    '[tuning]',
    'slm = "lora"',
    `basePrecision = "${precision}"`,
    `recompute = "${recompute}"`,
    `batch = ${batch}`,
    `accumulate = ${accumulate}`,
  ].join('\n')
}
