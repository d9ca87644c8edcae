import { createInterface } from 'node:readline/promises'
import { Command, InvalidArgumentError, Option } from 'commander'
import { CotuneError, EXIT } from '#base'
import type { ApiClient, ChatRequest } from '#protocols/api'
import type { CommandContext } from '../command-context.ts'
import {
  clientOf,
  nonNegative,
  type PeerOptions,
  positiveInteger,
  positiveUpTo,
  withPeerOptions,
} from '../options.ts'
import { StreamCleaner } from '../render/stream-cleaner.ts'
import { sayWhenBusy } from '../say-when-busy.ts'

interface ChatOptions extends PeerOptions {
  readonly instruction?: string
  readonly model?: 'slm' | 'dpm' | 'llm'
  readonly temperature?: number
  readonly topK?: number
  readonly topP?: number
  readonly repetitionPenalty?: number
  readonly seed?: string
  readonly stop?: readonly string[]
}

type Answer = (prompt: string, instruction?: string, signal?: AbortSignal) => Promise<void>

const NOTICE =
  'Your words stay on this device: its own tuned model answers. Ctrl-C stops an answer, Ctrl-D or /bye ends; /instruction TEXT sets the task.\n'

/** `cotune chat [PROMPT]`: one answer, or a conversation on a terminal. */
export function chatCommand({ io }: CommandContext): Command {
  return withPeerOptions(new Command('chat'))
    .description("ask the device's tuned model; the question stays on the device")
    .argument('[prompt...]', 'the question; without it a conversation begins, or stdin is read')
    .option('--instruction <text>', 'the task, as in the training data')
    .addOption(
      new Option(
        '--model <role>',
        'which model answers; slm unless told, at the cloud peer llm',
      ).choices(['slm', 'dpm', 'llm']),
    )
    .option(
      '--temperature <t>',
      'above 0 the answer is drawn, at 0 the most probable (default: 0)',
      temperature,
    )
    .option(
      '--top-k <n>',
      'draw from so many of the most probable tokens (default: all)',
      positiveInteger,
    )
    .option(
      '--top-p <p>',
      'draw from the most probable tokens up to this probability (default: 1)',
      positiveUpTo(1),
    )
    .option(
      '--repetition-penalty <x>',
      'above 1 what was said becomes less probable (default: 1)',
      positiveUpTo(100),
    )
    .option('--seed <text>', 'the same seed draws the same answer (default: random)')
    .option('--stop <text>', 'ends the answer where it comes; may be repeated', append)
    .addHelpText(
      'after',
      '\nExamples:\n  $ cotune chat turn the kitchen light on\n  $ cotune chat --instruction "Write the shell command." list all files\n  $ cotune chat',
    )
    .action(async (words: readonly string[], options: ChatOptions) => {
      const client = clientOf(options)
      const answer: Answer = async (prompt, instruction = options.instruction, signal) => {
        const request = toRequest(prompt, instruction, options)
        if (options.json !== true) return printAnswer(client, request, io, signal)
        const hasCome = sayWhenBusy(client, io.stderr)
        const reply = await client.call('POST /v1/chat', request, signal).finally(hasCome)
        io.stdout.write(`${JSON.stringify(reply)}\n`)
      }
      if (words.length > 0) await answer(words.join(' '))
      else if (io.stdin.isTTY === true) await converse(client, answer, io)
      else await answer(await readAll(io.stdin))
    })
}

function temperature(text: string): number {
  const value = nonNegative(text)
  return value === 0 ? value : positiveUpTo(100)(text)
}

function append(text: string, before: readonly string[] = []): readonly string[] {
  if (text === '') throw new InvalidArgumentError('a text that is not empty is needed.')
  return [...before, text]
}

function toRequest(
  prompt: string,
  instruction: string | undefined,
  { model, stop, temperature, topK, topP, repetitionPenalty, seed }: ChatOptions,
): ChatRequest {
  const sampling = {
    ...(temperature === undefined ? {} : { temperature }),
    ...(topK === undefined ? {} : { topK }),
    ...(topP === undefined ? {} : { topP }),
    ...(repetitionPenalty === undefined ? {} : { repetitionPenalty }),
    ...(seed === undefined ? {} : { seed }),
  }
  return {
    prompt,
    ...(instruction === undefined ? {} : { instruction }),
    ...(model === undefined ? {} : { model }),
    ...(Object.keys(sampling).length === 0 ? {} : { sampling }),
    ...(stop === undefined ? {} : { stop }),
  }
}

/** Prints an answer while it is made, and ends its line however it ends. */
async function printAnswer(
  client: ApiClient,
  request: ChatRequest,
  { stdout, stderr }: CommandContext['io'],
  signal: AbortSignal | undefined,
): Promise<void> {
  const cleaner = new StreamCleaner('\n\t')
  const hasCome = sayWhenBusy(client, stderr)
  let begun = false
  const print = (piece: string) => {
    hasCome()
    begun = true
    stdout.write(cleaner.push(piece))
  }
  try {
    await client.stream('POST /v1/chat', request, print, signal)
    begun = true
  } finally {
    hasCome()
    if (begun) stdout.write(`${cleaner.end()}\n`)
  }
}

async function converse(
  client: ApiClient,
  answer: Answer,
  io: CommandContext['io'],
): Promise<void> {
  await client.call('GET /v1/status', undefined)
  io.stderr.write(NOTICE)
  const lines = createInterface({ input: io.stdin, output: io.stderr, prompt: '> ' })
  let instruction: string | undefined
  let answering: AbortController | undefined
  let open = true
  // A terminal in raw mode sends no signal for Ctrl-C: it comes here.
  lines.on('SIGINT', () => (answering ? answering.abort() : lines.close()))
  lines.once('close', () => {
    open = false
  })
  try {
    lines.prompt()
    for await (const line of lines) {
      const text = line.trim()
      if (text === '/bye') break
      if (text.startsWith('/instruction')) instruction = text.slice('/instruction'.length).trim()
      else if (text !== '') {
        answering = new AbortController()
        const { signal } = answering
        await answer(text, instruction, signal).catch((error: unknown) => {
          if (!signal.aborted) throw error
        })
        answering = undefined
      }
      // Ctrl-D may have come during the answer.
      if (open) lines.prompt()
    }
  } finally {
    lines.close()
  }
}

async function readAll(input: AsyncIterable<unknown>): Promise<string> {
  let text = ''
  for await (const part of input) text += String(part)
  if (text.trim() !== '') return text.trim()
  throw new CotuneError('CHAT_NO_PROMPT', 'there is no question', {
    hint: 'cotune chat QUESTION, or pipe one in',
    exit: EXIT.usage,
  })
}
