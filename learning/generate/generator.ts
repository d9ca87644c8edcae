import { CotuneError, EXIT } from '#base'
import type { Executor, Tensor, WeightValue } from '#engine'
import { type AdapterLayer, type AdapterWeights, toLeaves } from '#learning/lora'
import type { Checkpoint } from '#learning/models'
import type { Tokenizer } from '#learning/text'
import { AnswerText } from './answer-text.ts'
import { type DecodingRow, decodeRows } from './decode-rows.ts'
import { Decoder } from './decoder.ts'
import { checkSampling, createSampler, isGreedy, type Sampling } from './sampling.ts'

export interface GeneratorInit {
  /** Its weights may be held in blocks of 8 or 4 bits (`openFrozenBase`). */
  readonly checkpoint: Pick<Checkpoint<WeightValue>, 'model' | 'weights' | 'tokenizer'>
  /** Adapters on top, without effect until set. */
  readonly adapters?: readonly AdapterLayer[]
  /** `live` lets `setParameters` replace the weights, as full tuning needs; default `frozen`, which is faster. */
  readonly base?: 'frozen' | 'live'
  readonly executor: Executor
  /** Rows decoded together, at most. */
  readonly batch: number
  /** Longest prompt in tokens; of longer ones the end counts. */
  readonly maxPrompt: number
  /** Most tokens of an answer. */
  readonly maxNew: number
  /** Ids that end an answer; unless told, those of the tokenizer and of config.json. */
  readonly stopIds?: readonly number[]
}

export interface GenerateOptions {
  /** For all prompts, or one for each. The most probable token unless told. */
  readonly sampling?: Sampling | readonly Sampling[]
  /** Strings that end an answer; they are not part of it. */
  readonly stop?: readonly string[]
  /** Text as it comes, for the prompt of that index. */
  readonly onToken?: (text: string, index: number) => void
  /** Prompts answered so far. */
  readonly onProgress?: (done: number) => void
  readonly signal?: AbortSignal
}

export interface GenerateIdsOptions extends Omit<GenerateOptions, 'stop' | 'onToken'> {
  /** Each token of an answer as it comes; what returns `true` ends the answer. */
  readonly onId?: (id: number, index: number) => unknown
  /** After the last token of an answer. */
  readonly onEnd?: (index: number) => void
}

/**
 * Decoding with a key-value cache, many prompts at once: a row whose answer ends makes room for the next prompt. The model is compiled
 * once; adapters, prompts and settings change without.
 */
export class Generator {
  readonly #init: GeneratorInit
  readonly #stopIds: ReadonlySet<number>
  readonly #decoder: Decoder

  private constructor(init: GeneratorInit, decoder: Decoder) {
    const { model, tokenizer } = init.checkpoint
    this.#init = init
    this.#decoder = decoder
    this.#stopIds = new Set(
      init.stopIds ?? [...(tokenizer ? [tokenizer.eosId] : []), ...model.config.eosIds],
    )
  }

  /** @throws CotuneError MODEL_CONTEXT_EXCEEDED */
  static async create(init: GeneratorInit): Promise<Generator> {
    const { checkpoint, maxPrompt, maxNew, executor, adapters = [], base = 'frozen' } = init
    const { model, weights } = checkpoint
    const { contextLength } = model.config
    const limit = maxPrompt + maxNew
    if (limit > contextLength)
      throw new CotuneError(
        'MODEL_CONTEXT_EXCEEDED',
        `the model reads ${contextLength} tokens at most, ${maxPrompt} + ${maxNew} were asked for`,
        {
          hint: 'Shorten prompts or answers, or choose a model with a longer context.',
          exit: EXIT.data,
        },
      )
    const decoder = await Decoder.create({ model, weights, base, adapters, executor, limit })
    return new Generator(init, decoder)
  }

  /** Sets all tensors of an adapter. */
  async setAdapter(name: string, weights: AdapterWeights): Promise<void> {
    await this.#decoder.write(toLeaves(name, weights))
  }

  /** Sets parameters of a `live` base by their Hugging Face names. */
  async setParameters(weights: ReadonlyMap<string, Tensor>): Promise<void> {
    await this.#decoder.write(weights)
  }

  /**
   * The answers to `prompts`, in their order, without what ends them.
   *
   * @throws CotuneError GENERATE_NO_TOKENIZER, GENERATE_SAMPLING_INVALID
   */
  async generate(prompts: readonly string[], options: GenerateOptions = {}): Promise<string[]> {
    const { onToken, stop = [], ...rest } = options
    const tokenizer = this.#tokenizer()
    const texts = prompts.map(() => new AnswerText(tokenizer, stop))
    const show = (text: string, index: number) => {
      if (text !== '') onToken?.(text, index)
    }
    const ids = prompts.map((prompt) => tokenizer.encode(prompt).ids)
    await this.generateIds(ids, {
      ...rest,
      onId: (id, index) => {
        show(texts[index]!.push(id), index)
        return texts[index]!.stopped
      },
      onEnd: (index) => show(texts[index]!.end(), index),
    })
    return texts.map(({ text }) => text)
  }

  /**
   * The same on token ids; needs no tokenizer.
   *
   * @throws CotuneError GENERATE_SAMPLING_INVALID
   */
  async generateIds(
    prompts: readonly Int32Array[],
    options: GenerateIdsOptions = {},
  ): Promise<Int32Array[]> {
    const { signal, onProgress, onEnd } = options
    let done = 0
    const finish = (index: number) => {
      onEnd?.(index)
      onProgress?.(++done)
    }
    const answers = prompts.map((): number[] => [])
    const rows = prompts.map((prompt, index) =>
      this.#row(prompt, index, answers[index]!, { ...options, onEnd: finish }),
    )
    // Prompts of like length are read together, and are hardly padded then.
    rows.sort((a, b) => a.prompt.length - b.prompt.length)
    const { checkpoint, batch } = this.#init
    await decodeRows({
      decoder: this.#decoder,
      config: checkpoint.model.config,
      rows,
      batch,
      signal,
    })
    return answers.map((answer) => Int32Array.from(answer))
  }

  async close(): Promise<void> {
    await this.#decoder.close()
  }

  #row(
    given: Int32Array,
    index: number,
    answer: number[],
    { sampling = {}, onId, onEnd }: GenerateIdsOptions,
  ): DecodingRow {
    const { maxPrompt, maxNew, checkpoint } = this.#init
    const { bosId, eosIds } = checkpoint.model.config
    // A model reads at least one token.
    const first = bosId ?? checkpoint.tokenizer?.eosId ?? eosIds[0] ?? 0
    const prompt = given.length > 0 ? given.slice(-maxPrompt) : Int32Array.of(first)
    const own = isList(sampling) ? (sampling[index] ?? {}) : sampling
    checkSampling(own)
    const sample = isGreedy(own) ? undefined : createSampler(own, index)
    const over = () => {
      onEnd?.(index)
      return undefined
    }
    return {
      prompt,
      needsLogits: sample !== undefined,
      take: (next, logits) => {
        const id = sample && logits ? sample(logits, [...prompt, ...answer]) : next
        if (this.#stopIds.has(id)) return over()
        answer.push(id)
        if (onId?.(id, index) === true || answer.length === maxNew) return over()
        return id
      },
    }
  }

  #tokenizer(): Tokenizer {
    const { tokenizer } = this.#init.checkpoint
    if (tokenizer !== undefined) return tokenizer
    throw new CotuneError('GENERATE_NO_TOKENIZER', 'the checkpoint has no tokenizer', {
      hint: 'Put the tokenizer.json of the model into its folder.',
    })
  }
}

function isList(sampling: Sampling | readonly Sampling[]): sampling is readonly Sampling[] {
  return Array.isArray(sampling)
}
