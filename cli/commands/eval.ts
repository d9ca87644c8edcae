import { resolve } from 'node:path'
import { Command, Option } from 'commander'
import { CotuneError, EXIT } from '#base'
import type { TunedAdapter } from '#learning/tuning'
import type { Scores } from '#protocols/api'
import type { CommandContext } from '../command-context.ts'
import type { Io } from '../io.ts'
import { positiveInteger } from '../options.ts'
import { ProgressLine } from '../render/progress-line.ts'
import { formatScore } from '../render/units.ts'
import { untilSignal } from '../stop-on-signal.ts'

interface EvalOptions {
  readonly model: string
  readonly adapter?: string
  readonly data: string
  readonly limit?: number
  readonly executor: 'onnxruntime' | 'tensorflow'
  readonly json?: boolean
}

/** `cotune eval`: scores of any model folder on any JSONL file; needs no running peer. */
export function evalCommand(context: CommandContext): Command {
  const { io } = context
  return new Command('eval')
    .description('score a model on a JSONL file: exact match, Rouge-L, perplexity per byte')
    .requiredOption('--model <model>', 'a model folder, or the name of a model of the library')
    .option('--adapter <dir>', 'a LoRA adapter: adapter_config.json, adapter_model.safetensors')
    .requiredOption('--data <file>', 'rows with instruction, input, and output or references')
    .option('--limit <n>', 'the first so many rows only (default: all)', positiveInteger)
    .addOption(
      new Option('--executor <name>', 'what runs the model')
        .choices(['onnxruntime', 'tensorflow'])
        .default('onnxruntime'),
    )
    .option('--json', 'print JSON on stdout')
    .addHelpText(
      'after',
      '\nExamples:\n  $ cotune eval --model zoo/slm-llama --data examples/data/kitchen.valid.jsonl\n  $ cotune eval --model m --adapter a --data rows.jsonl --json',
    )
    .action(async (options: EvalOptions) => {
      const scores = await untilSignal((signal) => evaluate(options, io, signal), context)
      if (scores === undefined) return
      const { em, rougeL, examples, perplexityPerByte } = scores
      io.stdout.write(
        options.json === true
          ? `${JSON.stringify({ em, rougeL, examples, perplexityPerByte })}\n`
          : `exact match ${formatScore(em)} %, Rouge-L ${formatScore(rougeL)} % on ${examples} examples; perplexity ${perplexityPerByte.toFixed(3)} per byte\n`,
      )
    })
}

/** What learns is imported here: it takes longer to load than the help does to print. */
async function evaluate(options: EvalOptions, io: Io, signal: AbortSignal): Promise<Scores> {
  const { createExecutor } = await import('#engine')
  const { readExamples } = await import('#learning/data')
  const { checkAdapter, loadAdapter } = await import('#learning/lora')
  const { evaluateModel, loadTunedModel } = await import('#learning/tuning')
  const rows = await readExamples(resolve(options.data))
  if (rows.length === 0) throw noRows(options.data)
  const model = await loadTunedModel('slm', options.model)
  const adapters: TunedAdapter[] = []
  if (options.adapter !== undefined) {
    const { spec, weights } = await loadAdapter(resolve(options.adapter))
    checkAdapter(model.checkpoint.model, spec, weights)
    adapters.push({ name: 'adapter', spec, weights })
  }
  const progress = new ProgressLine(io, 'rows')
  return evaluateModel({
    model,
    tuned: { adapters },
    examples: rows.slice(0, options.limit),
    executor: createExecutor(options.executor),
    onProgress: ({ step, steps }) => progress.update(step, steps),
    signal,
  }).finally(() => progress.end())
}

function noRows(path: string): CotuneError {
  return new CotuneError('EVAL_NO_ROWS', `${path} holds no row`, {
    hint: 'each line is one object with instruction, input, and output or references',
    data: { path },
    exit: EXIT.data,
  })
}
