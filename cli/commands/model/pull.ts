import { Command } from 'commander'
import { EXIT, modelLibraryPath } from '#base'
import type { CommandContext } from '../../command-context.ts'
import { type HubOptions, hubSettings } from '../../hub/hub-settings.ts'
import { ProgressPrinter } from '../../hub/progress-printer.ts'
import { reportAdded } from '../../hub/report-added.ts'
import { formatDuration } from '../../render/units.ts'
import { stopOnSignal } from '../../stop-on-signal.ts'

interface PullOptions extends HubOptions {
  readonly json?: boolean
}

/** `cotune model pull ORG/NAME[@REVISION]`. */
export function pullModelCommand({ io, setExitCode }: CommandContext): Command {
  return new Command('pull')
    .description('download a model from Hugging Face, or a mirror, into the library')
    .argument('<name>', 'ORG/NAME, or ORG/NAME@REVISION: a branch, a tag or a commit')
    .option('--endpoint <url>', 'another hub (default: $HF_ENDPOINT, else https://huggingface.co)')
    .option('--token-file <file>', 'a file that holds your token (default: $HF_TOKEN)')
    .option('--json', 'print JSON: the model on stdout, progress on stderr')
    .addHelpText(
      'after',
      `
Only what is needed is fetched: config.json, tokenizer.json and what belongs to them, safetensors. Each file is held to the
digest that the hub names. Whatever breaks it off, the same command goes on from there.

Examples:
  $ cotune model pull HuggingFaceTB/SmolLM2-135M
  $ cotune model pull openai-community/gpt2@607a30d
  $ HF_TOKEN=... cotune model pull meta-llama/Llama-3.2-1B
  $ cotune model pull Qwen/Qwen2.5-0.5B --endpoint https://hf-mirror.com`,
    )
    .action(async (text: string, options: PullOptions) => {
      const settings = await hubSettings(options, io.env)
      const { ModelLibrary, parseModelReference } = await import('#learning/library')
      const { pullModel } = await import('../../hub/pull-model.ts')
      const reference = parseModelReference(text)
      const library = new ModelLibrary(modelLibraryPath(io.env))
      const printer = new ProgressPrinter(io, options.json === true)
      const stop = stopOnSignal(() => printer.end())
      try {
        const added = await pullModel({
          ...settings,
          reference,
          library,
          signal: stop.signal,
          onProgress: (progress) => printer.update(progress),
          onRetry: ({ message }, waitMs) =>
            printer.note(`${message}; trying again in ${formatDuration(waitMs)}`),
        })
        printer.end()
        reportAdded(added, options.json === true, io)
      } catch (error) {
        printer.end()
        if (!stop.signal.aborted) throw error
        printer.note(`stopped; cotune model pull ${text} goes on from here`)
        setExitCode(stop.exitCode() ?? EXIT.failure)
      } finally {
        stop.release()
      }
    })
}
