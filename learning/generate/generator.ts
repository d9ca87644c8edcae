import { setImmediate as turn } from 'node:timers/promises'
import { CotuneError } from '#base'
import { type Executor, type Tensor, tensor } from '#engine'
import { type AdapterLayer, type AdapterWeights, toLeaves } from '#learning/lora'
import type { Checkpoint } from '#learning/models'
import type { Tokenizer } from '#learning/text'
import { CacheColumns } from './cache-columns.ts'
import { type DecoderPair, DecoderSessions } from './decoder-sessions.ts'
import { promptLengths } from './prompt-lengths.ts'
import { textStream } from './text-stream.ts'

export interface GeneratorInit {
  readonly checkpoint: Pick<Checkpoint, 'model' | 'weights' | 'tokenizer'>
  /** Adapters on top, without effect until set. */
  readonly adapters?: readonly AdapterLayer[]
  /** `live` lets `setParameters` replace the weights, as full tuning needs; default `frozen`, which is faster. */
  readonly base?: 'frozen' | 'live'
  readonly executor: Executor
  /** Rows decoded together. */
  readonly batch: number
  /** Longest prompt in tokens; of longer ones the end counts. */
  readonly maxPrompt: number
  /** Most tokens of an answer. */
  readonly maxNew: number
  /** Ids that end an answer; unless told, those of the tokenizer and of config.json. */
  readonly stopIds?: readonly number[]
}

export interface GenerateOptions {
  /** Text as it comes, for the prompt of that index. */
  readonly onToken?: (text: string, index: number) => void
  /** Prompts answered so far. */
  readonly onProgress?: (done: number) => void
  readonly signal?: AbortSignal
}

/** A prompt on its way: `index` is its place among those given. */
interface Row {
  readonly index: number
  readonly prompt: Int32Array
  readonly answer: number[]
  done: boolean
}

/** Greedy decoding with a key-value cache, a batch at a time. */
export class Generator {
  readonly #init: GeneratorInit
  readonly #stopIds: ReadonlySet<number>
  readonly #lengths: readonly number[]
  readonly #sessions: DecoderSessions

  private constructor(init: GeneratorInit) {
    const { checkpoint, executor, adapters = [], base = 'frozen' } = init
    const { model, weights, tokenizer } = checkpoint
    this.#init = init
    this.#stopIds = new Set(
      init.stopIds ?? [...(tokenizer ? [tokenizer.eosId] : []), ...model.config.eosIds],
    )
    this.#sessions = new DecoderSessions({ model, weights, base, adapters, executor })
    this.#lengths = promptLengths(model, base, init.maxPrompt)
  }

  /**
   * Programs are compiled when the first prompt of their length comes.
   *
   * @throws CotuneError MODEL_CONTEXT_EXCEEDED
   */
  static async create(init: GeneratorInit): Promise<Generator> {
    const { checkpoint, maxPrompt, maxNew } = init
    const { contextLength } = checkpoint.model.config
    if (maxPrompt + maxNew > contextLength)
      throw new CotuneError(
        'MODEL_CONTEXT_EXCEEDED',
        `the model reads ${contextLength} tokens at most, ${maxPrompt} + ${maxNew} were asked for`,
        { hint: 'Shorten prompts or answers, or choose a model with a longer context.' },
      )
    return new Generator(init)
  }

  /** Sets all tensors of an adapter. */
  async setAdapter(name: string, weights: AdapterWeights): Promise<void> {
    await this.#sessions.write(toLeaves(name, weights))
  }

  /** Sets parameters of a `live` base by their Hugging Face names. */
  async setParameters(weights: ReadonlyMap<string, Tensor>): Promise<void> {
    await this.#sessions.write(weights)
  }

  /**
   * The answers to `prompts`, in their order, without what ends them.
   *
   * @throws CotuneError GENERATE_NO_TOKENIZER
   */
  async generate(prompts: readonly string[], options: GenerateOptions = {}): Promise<string[]> {
    const { onToken, ...rest } = options
    const tokenizer = this.#tokenizer()
    const stream = onToken && textStream(tokenizer, onToken)
    const ids = prompts.map((prompt) => tokenizer.encode(prompt).ids)
    const answers = await this.generateIds(ids, { ...rest, ...(stream ? { onId: stream } : {}) })
    return answers.map((answer) => tokenizer.decode(answer))
  }

  /** The same on token ids; needs no tokenizer. */
  async generateIds(
    prompts: readonly Int32Array[],
    options: Pick<GenerateOptions, 'onProgress' | 'signal'> & {
      readonly onId?: (id: number, index: number) => void
    } = {},
  ): Promise<Int32Array[]> {
    const { batch } = this.#init
    const rows = prompts.map((prompt, index) => this.#row(prompt, index))
    // Prompts of like length share a batch, and with it a program no longer than they need.
    const byLength = [...rows].sort((a, b) => a.prompt.length - b.prompt.length)
    for (let start = 0; start < byLength.length; start += batch) {
      options.signal?.throwIfAborted()
      await this.#decode(byLength.slice(start, start + batch), options)
      options.onProgress?.(Math.min(start + batch, byLength.length))
      await turn()
    }
    return rows.map(({ answer }) => Int32Array.from(answer))
  }

  async close(): Promise<void> {
    await this.#sessions.close()
  }

  #tokenizer(): Tokenizer {
    const { tokenizer } = this.#init.checkpoint
    if (tokenizer !== undefined) return tokenizer
    throw new CotuneError('GENERATE_NO_TOKENIZER', 'the checkpoint has no tokenizer', {
      hint: 'Put the tokenizer.json of the model into its folder.',
    })
  }

  #row(prompt: Int32Array, index: number): Row {
    const { bosId } = this.#init.checkpoint.model.config
    // A model reads at least one token.
    const ids = prompt.length > 0 ? prompt : Int32Array.of(bosId ?? this.#tokenizer().eosId)
    return { index, prompt: ids.slice(-this.#init.maxPrompt), answer: [], done: false }
  }

  async #decode(
    rows: readonly Row[],
    { signal, onId }: { signal?: AbortSignal; onId?: (id: number, index: number) => void },
  ): Promise<void> {
    const { batch, maxNew, checkpoint } = this.#init
    const longest = Math.max(...rows.map(({ prompt }) => prompt.length))
    const prompt = this.#lengths.find((length) => length >= longest)!
    // The last token of an answer is never read, so it needs no column.
    const columns = Math.max(1, prompt + maxNew - 1)
    const pair = await this.#sessions.pair({ batch, prompt, columns })

    const take = (next: Tensor): void => {
      for (const [b, row] of rows.entries()) {
        if (row.done) continue
        const id = next.data[b]!
        row.done = this.#stopIds.has(id)
        if (row.done) continue
        row.answer.push(id)
        onId?.(id, row.index)
        row.done = row.answer.length === maxNew
      }
    }
    const { outputs, lengths } = await readPrompts(pair, rows)
    take(outputs.next!)
    if (rows.every(({ done }) => done)) return
    const cache = new CacheColumns(checkpoint.model.config, batch, columns)
    cache.start(outputs, lengths)
    const tokens = new Int32Array(batch)
    tokens.set(outputs.next!.data)
    while (rows.some(({ done }) => !done)) {
      signal?.throwIfAborted()
      if (onId) await turn()
      const step = await pair.step.run({
        tokens: tensor(tokens, [batch, 1]),
        positions: cache.positions(),
        ...cache.feeds(),
      })
      cache.append(step)
      take(step.next!)
      tokens.set(step.next!.data)
    }
  }
}

/** Runs the prefill program; rows that the batch has too many read one token of padding. */
async function readPrompts(
  { prefill, shape }: DecoderPair,
  rows: readonly Row[],
): Promise<{ outputs: Record<string, Tensor>; lengths: Int32Array }> {
  const tokens = new Int32Array(shape.batch * shape.prompt)
  const lengths = new Int32Array(shape.batch).fill(1)
  for (const [b, { prompt }] of rows.entries()) {
    tokens.set(prompt, b * shape.prompt)
    lengths[b] = prompt.length
  }
  const outputs = await prefill.run({
    tokens: tensor(tokens, [shape.batch, shape.prompt]),
    last: tensor(
      lengths.map((length) => length - 1),
      [shape.batch],
    ),
  })
  return { outputs, lengths }
}
