import { availableParallelism } from 'node:os'
import { Command, Option } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { modelSetting } from '../model-setting.ts'
import { commaList, durationMs, positiveInteger } from '../options.ts'
import { ownCommand } from '../own-command.ts'

const MINUTE_MS = 60_000

interface MeshOptions {
  readonly data?: string
  readonly domains?: readonly string[]
  readonly models?: string
  readonly llm?: string
  readonly dpm?: string
  readonly slm?: readonly string[]
  readonly train: number
  readonly public: number
  readonly rounds: number
  readonly eval?: string
  readonly evalLimit?: number
  readonly seed: number
  readonly timeout: number
  readonly keep?: boolean
  readonly tui: boolean
  readonly json?: boolean
}

/** `cotune mesh`: the main job, a whole mesh on this machine. */
export function meshCommand({ io, setExitCode }: CommandContext): Command {
  return new Command('mesh')
    .description(
      'start a cloud peer and a device per domain here, co-tune, and show what it gained',
    )
    .option(
      '--data <dir>',
      'a folder of <domain>.train.jsonl and .valid.jsonl (default: the examples)',
    )
    .option(
      '--domains <names>',
      'one device each, e.g. a,b,c (default: the first three)',
      commaList,
    )
    .option(
      '--models <dir>',
      'a folder of llm, dpm and slm-* (default: the small models of the package)',
    )
    .option('--llm <model>', 'the large model: a folder, or a name of the library')
    .option('--dpm <model>', 'the proxy model, likewise')
    .option('--slm <models>', 'the small models, a,b,c; the devices take turns', commaList)
    .option('--train <n>', 'private rows a device trains on, at most', positiveInteger, 400)
    .option(
      '--public <n>',
      'public rows of each domain for the cloud peer, at most',
      positiveInteger,
      200,
    )
    .option('--rounds <n>', 'how many', positiveInteger, 3)
    .option(
      '--eval <dir>',
      'score on <domain>.test.jsonl of this folder (default: on .valid.jsonl of --data)',
    )
    .option(
      '--eval-limit <n>',
      'score on so many rows of each domain, at most (default: all)',
      positiveInteger,
    )
    .option('--seed <n>', 'which rows are taken', positiveInteger, 1)
    .addOption(
      new Option('--timeout <time>', 'give up after')
        .argParser(durationMs)
        .default(30 * MINUTE_MS, '30m'),
    )
    .option('--keep', 'keep the temporary folder: homes, databases, logs')
    .option('--no-tui', 'progress lines, on a terminal as well')
    .option('--json', 'print the result as JSON on stdout; progress goes to stderr')
    .addHelpText(
      'after',
      `
All peers are real processes that talk over encrypted libp2p; all they write is in one temporary folder.

Examples:
  $ cotune mesh
  $ cotune mesh --domains kitchen,clinic --rounds 2
  $ cotune mesh --slm HuggingFaceTB/SmolLM2-135M,zoo/slm-gpt2
  $ cotune mesh --data ~/data --train 400 --json > result.json`,
    )
    .action(async (options: MeshOptions) => {
      const { createMeshPlan } = await import('../mesh/mesh-plan.ts')
      const { runMesh } = await import('../mesh/run-mesh.ts')
      const { renderMeshReport } = await import('../mesh/mesh-report.ts')
      const { llm, dpm, slm } = options
      const plan = createMeshPlan({
        ...(llm === undefined ? {} : { llm: await modelSetting(llm) }),
        ...(dpm === undefined ? {} : { dpm: await modelSetting(dpm) }),
        ...(slm === undefined ? {} : { slms: await Promise.all(slm.map(modelSetting)) }),
        ...(options.data === undefined ? {} : { data: options.data }),
        ...(options.domains === undefined ? {} : { domains: options.domains }),
        ...(options.models === undefined ? {} : { models: options.models }),
        ...(options.eval === undefined ? {} : { evaluation: options.eval }),
        rounds: options.rounds,
        trainRows: options.train,
        publicRows: options.public,
        evaluationRows: options.evalLimit ?? Number.POSITIVE_INFINITY,
        seed: options.seed,
        timeoutMs: options.timeout,
        cores: availableParallelism(),
      })
      const outcome = await runMesh({
        plan,
        command: ownCommand(),
        io,
        keep: options.keep === true,
        tui: options.tui && options.json !== true && io.stdout.isTTY === true,
      })
      setExitCode(outcome.exitCode)
      if (outcome.report === undefined) return
      const text =
        options.json === true ? JSON.stringify(outcome.report) : renderMeshReport(outcome.report)
      io.stdout.write(`${text}\n`)
    })
}
