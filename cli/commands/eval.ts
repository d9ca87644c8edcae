import { resolve } from 'node:path'
import { Command } from 'commander'
import { positiveInteger } from '../options.ts'
import type { CommandContext } from '../program.ts'
import { formatScore } from '../render/units.ts'
import { stopOnSignal } from '../stop-on-signal.ts'

interface EvalOptions {
  readonly model: string
  readonly adapter?: string
  readonly data: string
  readonly limit?: number
  readonly json?: boolean
}

/** `cotune eval`: scores of any model folder on any JSONL file; needs no running peer. */
export function evalCommand({ io, setExitCode }: CommandContext): Command {
  return new Command('eval')
    .description('score a model folder on a JSONL file: exact match, Rouge-L, perplexity per byte')
    .requiredOption('--model <dir>', 'config.json, model.safetensors, tokenizer.json')
    .option('--adapter <dir>', 'a LoRA adapter: adapter_config.json, adapter_model.safetensors')
    .requiredOption('--data <file>', 'rows with instruction, input, and output or references')
    .option('--limit <n>', 'the first so many rows only', positiveInteger)
    .option('--json', 'print JSON on stdout')
    .addHelpText(
      'after',
      '\nExamples:\n  $ cotune eval --model zoo/slm-llama --data examples/data/kitchen.valid.jsonl\n  $ cotune eval --model m --adapter a --data rows.jsonl --json',
    )
    .action(async (options: EvalOptions) => {
      const stop = stopOnSignal()
      const { readExamples } = await import('#learning/data')
      const { evaluateModel } = await import('#learning/tuning')
      const rows = await readExamples(resolve(options.data))
      const { em, rougeL, examples, perplexityPerByte } = await evaluateModel({
        model: resolve(options.model),
        ...(options.adapter === undefined ? {} : { adapter: resolve(options.adapter) }),
        examples: options.limit === undefined ? rows : rows.slice(0, options.limit),
        signal: stop.signal,
      })
      stop.release()
      io.stdout.write(
        options.json === true
          ? `${JSON.stringify({ em, rougeL, examples, perplexityPerByte })}\n`
          : `exact match ${formatScore(em)} %, Rouge-L ${formatScore(rougeL)} % on ${examples} examples; perplexity ${perplexityPerByte.toFixed(3)} per byte\n`,
      )
      setExitCode(stop.exitCode() ?? 0)
    })
}
