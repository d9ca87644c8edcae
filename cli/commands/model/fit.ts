import { Command } from 'commander'
import { EXIT } from '#base'
import type { Fit, FitInit, FitMutual } from '#learning/fit'
import type { CommandContext } from '../../command-context.ts'
import { nonNegative, positiveInteger, sizeInBytes } from '../../options.ts'
import { renderJson } from '../../render/json.ts'
import { renderTable } from '../../render/table.ts'
import { formatBytes } from '../../render/units.ts'

interface FitOptions {
  readonly memory: number
  readonly batch: number
  readonly length?: number
  readonly rank: number
  readonly full?: boolean
  readonly mutual?: boolean
  /** The other model of mutual learning. */
  readonly with?: string
  readonly topK?: number
  readonly temperature?: number
  readonly json?: boolean
}

/** A device's default (`tuning.length`), where the models read so many. */
const DEFAULT_LENGTH = 128

/** `cotune model fit DIR --memory 4GB`. */
export function fitModelCommand({ io, setExitCode }: CommandContext): Command {
  return new Command('fit')
    .description('say which settings let a model be tuned within a memory, before any training')
    .argument('<dir>', 'a folder with config.json and model.safetensors, or a model of the library')
    .requiredOption('--memory <size>', 'what the process may take: 4GB, 900MB, 4GiB', sizeInBytes)
    .option('--batch <rows>', 'rows of tokens a step', positiveInteger, 8)
    .option(
      '--length <tokens>',
      'tokens a row (default: 128, or as many as the model reads)',
      positiveInteger,
    )
    .option('--rank <r>', 'rank of the adapter, on every linear layer', positiveInteger, 8)
    .option('--full', 'count the training of all parameters in place of an adapter')
    .option(
      '--mutual',
      "count mutual learning: a teacher's tokens in the loss, and teaching in turn",
    )
    .option('--with <dir>', 'count the other model of mutual learning too; implies --mutual')
    .option('--top-k <n>', 'topK of mutual learning (default: 32)', positiveInteger)
    .option('--temperature <t>', 'temperature of mutual learning (default: 1)', nonNegative)
    .option('--json', 'print JSON on stdout')
    .addHelpText(
      'after',
      `
The estimate is of one model in one process: its training step by LoRA, all positions supervised; with --full that of
all its parameters, in float32, which is what a device does to its own model unless told. A device that co-tunes holds
two models at once, its own and the proxy, and each of them takes more than that: --mutual counts what mutual learning
adds to one, without the other; --with what both take together, the other always tuned by LoRA. What fits leaves 8 %
of the memory free. Exits with 1 where nothing fits.

Examples:
  $ cotune model fit ~/models/small --memory 4GB
  $ cotune model fit HuggingFaceTB/SmolLM2-135M --memory 900MB --batch 4 --json
  $ cotune model fit ~/models/small --with ~/models/dpm --memory 4GB
  $ cotune model fit ~/models/small --full --memory 2GB`,
    )
    .action(async (dir: string, options: FitOptions) => {
      const { resolveModelFolder } = await import('#learning/library')
      const { openCheckpoint } = await import('#learning/models')
      const { fitStep } = await import('#learning/fit')
      const folder = await resolveModelFolder(dir)
      const checkpoint = await openCheckpoint(folder)
      const partnerFolder = options.with && (await resolveModelFolder(options.with))
      const partner = partnerFolder ? await openCheckpoint(partnerFolder) : undefined
      const { memory: memoryBytes, batch, rank } = options
      const contexts = [checkpoint, ...(partner ? [partner] : [])].map(
        ({ model }) => model.config.contextLength,
      )
      const length = options.length ?? Math.min(DEFAULT_LENGTH, ...contexts)
      const train = options.full ? ('full' as const) : ('lora' as const)
      const asked = { train, memoryBytes, batch, length, rank }
      const settings = await mutualSettings(options)
      const mutual = settings && { ...settings, ...(partner ? { partner } : {}) }
      const fit = fitStep({ checkpoint, ...asked, ...(mutual ? { mutual } : {}) })
      const about = { folder, ...asked, mutual: settings ?? null, with: partnerFolder ?? null }
      const shown =
        options.json === true
          ? renderJson({ ...about, ...fit })
          : render(fit, { ...asked, ...(mutual ? { mutual } : {}) })
      io.stdout.write(`${shown}\n`)
      if (!fit.best) setExitCode(EXIT.failure)
    })
}

/** As in the [tuning] section of a device, where not given; what that section would refuse is refused here. */
async function mutualSettings(options: FitOptions): Promise<FitMutual | undefined> {
  const { batch, length, rank, topK, temperature } = options
  const { tuningSettings } = await import('#learning/tuning')
  const settings = tuningSettings({
    batch,
    length,
    rank,
    ...(topK === undefined ? {} : { topK }),
    ...(temperature === undefined ? {} : { temperature }),
  })
  const isAsked = [options.mutual, options.with, topK, temperature].some(
    (each) => each !== undefined,
  )
  if (!isAsked) return undefined
  return { topK: settings.topK, temperature: settings.temperature, gate: settings.gate }
}

type Asked = Pick<FitInit, 'train' | 'memoryBytes' | 'length' | 'rank' | 'mutual'>

function render(fit: Fit, asked: Asked): string {
  const { options, best } = fit
  const teaching = asked.mutual ? ['teaching'] : []
  const rows = options.map((option) => [
    option === best ? '->' : '',
    option.packWeights ? `${option.precision}, packed` : option.precision,
    option.recompute,
    `${option.batch}${option.accumulate > 1 ? ` x ${option.accumulate}` : ''}`,
    formatBytes(option.memory.runtime),
    formatBytes(option.memory.weights),
    formatBytes(option.memory.trained),
    formatBytes(option.memory.activations),
    ...teaching.map(() => formatBytes(option.memory.teaching)),
    formatBytes(option.memory.total),
    option.fits ? 'yes' : 'no',
  ])
  const sizes = ['runtime', 'weights', 'trained', 'activations', ...teaching, 'in all']
  const head = ['', 'base', 'recompute', 'batch', ...sizes, 'fits']
  return [renderTable(head, rows, sizes), scope(asked), advice(fit, asked)].join('\n\n')
}

/** What the numbers are of. */
function scope({ train, mutual }: Asked): string {
  return `${train === 'full' ? 'All parameters are trained. ' : ''}${partners(mutual)}`
}

function partners(mutual: FitMutual | undefined): string {
  if (!mutual)
    return 'One model that learns alone. Mutual learning takes more, and two models: see --mutual and --with.'
  return mutual.partner
    ? 'Mutual learning, both models together.'
    : 'Mutual learning, without the other model, which is held beside it: --with DIR counts that too.'
}

function advice({ options, best, hasFrozen }: Fit, asked: Asked): string {
  const { train, memoryBytes, length, rank, mutual } = asked
  if (!best) {
    const runtime = Math.min(...options.map(({ memory }) => memory.runtime))
    const nothing = `Nothing fits into ${formatBytes(memoryBytes)}`
    if (runtime > memoryBytes)
      return `${nothing}: the runtime alone takes ${formatBytes(runtime)}, whatever the model.`
    const instead = train === 'full' ? ', or an adapter: leave out --full' : ''
    return `${nothing}: take a smaller model, or a shorter --length${instead}.`
  }
  const { precision, packWeights, recompute, batch, accumulate } = best
  return [
    'In config.toml:',
    '',
    '[tuning]',
    `slm = "${train}"`,
    ...(hasFrozen ? [`basePrecision = "${precision}"`] : []),
    ...(packWeights ? ['packWeights = true'] : []),
    `recompute = "${recompute}"`,
    `batch = ${batch}`,
    `accumulate = ${accumulate}`,
    `length = ${length}`,
    `rank = ${rank}`,
    ...(mutual ? [`topK = ${mutual.topK}`, `temperature = ${mutual.temperature}`] : []),
  ].join('\n')
}
