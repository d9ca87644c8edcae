import { resolve } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { EXIT } from '#base'
import type { Verification } from '#learning/verify'
import type { CommandContext } from '../../command-context.ts'
import { renderJson } from '../../render/json.ts'
import { untilSignal } from '../../stop-on-signal.ts'

interface VerifyOptions {
  readonly golden: string
  readonly tolerance: number
  readonly json?: boolean
}

/** `cotune model verify DIR --golden FILE`. */
export function verifyModelCommand(context: CommandContext): Command {
  const { io } = context
  return new Command('verify')
    .description('hold a model to the logits and tokens that another implementation recorded')
    .argument('<dir>', 'a folder with config.json and model.safetensors, or a model of the library')
    .requiredOption(
      '--golden <file>',
      'input_ids, positions, logits, greedy; text, tokenizer_cases',
    )
    .option('--tolerance <error>', 'largest relative error that passes', tolerance, 1e-4)
    .option('--json', 'print JSON on stdout')
    .addHelpText(
      'after',
      `
Each prompt runs alone; of each recorded row the error is the largest difference to any of its
logits over the row's largest magnitude. The greedy tokens come from the decoder with its cache.
Exits with 1 when the error is above the tolerance, or tokens or recorded texts differ.

Examples:
  $ cotune model verify ~/models/small --golden ~/models/small/golden.json
  $ cotune model verify HuggingFaceTB/SmolLM2-135M --golden golden.json --json`,
    )
    .action(async (dir: string, options: VerifyOptions) => {
      const result = await untilSignal((signal) => verify(dir, options, signal), context)
      if (result === undefined) return
      io.stdout.write(
        options.json === true ? `${renderJson(toJson(result))}\n` : `${render(result, options)}\n`,
      )
      context.setExitCode(passes(result, options) ? EXIT.ok : EXIT.failure)
    })
}

async function verify(
  dir: string,
  { golden }: VerifyOptions,
  signal: AbortSignal,
): Promise<Verification> {
  const { createExecutor } = await import('#engine')
  const { resolveModelFolder } = await import('#learning/library')
  const { verifyCheckpoint } = await import('#learning/verify')
  return verifyCheckpoint({
    folder: await resolveModelFolder(dir),
    golden: resolve(golden),
    executor: createExecutor('onnxruntime'),
    signal,
  })
}

function passes(result: Verification, { tolerance }: VerifyOptions): boolean {
  const { maxRelativeError, greedyEqual, tokenizerEqual } = result
  return maxRelativeError <= tolerance && greedyEqual && tokenizerEqual !== false
}

/** JSON has no infinity: `null` where a logit was not a number. */
function toJson({ maxRelativeError, ...rest }: Verification) {
  return {
    maxRelativeError: Number.isFinite(maxRelativeError) ? maxRelativeError : null,
    ...rest,
  }
}

function render(result: Verification, options: VerifyOptions): string {
  const { maxRelativeError, tokenizerEqual, greedyMatched, greedyTokens, rows, prompts } = result
  const passed = { true: 'equal', false: 'differs', null: 'nothing recorded' }
  return [
    ['family', result.family],
    [
      'logits',
      `relative error ${maxRelativeError.toExponential(2)} (tolerance ${options.tolerance}) ` +
        `in ${rows} rows of ${prompts} prompts`,
    ],
    ['greedy', `${greedyMatched} of ${greedyTokens} tokens equal`],
    ['tokenizer', passed[`${tokenizerEqual}`]],
    ['result', passes(result, options) ? 'passed' : 'FAILED'],
  ]
    .map(([key = '', value = '']) => `${key.padEnd(9)}  ${value}`)
    .join('\n')
}

function tolerance(text: string): number {
  const value = Number(text)
  if (text !== '' && Number.isFinite(value) && value >= 0) return value
  throw new InvalidArgumentError('a number such as 1e-4 is needed.')
}
