import { closeOnFailure } from '#base'
import {
  allInMemory,
  type Executor,
  type Session,
  type Tensor,
  tensor,
  type WeightValue,
  writeKnown,
} from '#engine'
import { type AdapterLayer, withAdapters } from '#learning/lora'
import { type CausalModel, frozenScope, variableScope } from '#learning/models'
import type { CacheColumns } from './cache-columns.ts'
import { createDecodingProgram } from './decoding-program.ts'

export interface DecoderInit {
  readonly model: CausalModel
  readonly weights: ReadonlyMap<string, WeightValue>
  /** `frozen`: part of the session; `live`: can be set later, as after full tuning. */
  readonly base: 'frozen' | 'live'
  readonly adapters: readonly AdapterLayer[]
  readonly executor: Executor
  /** Most tokens of a row. */
  readonly limit: number
}

/** What comes after the last token of each row. */
export interface Continuation {
  /** The most probable token. */
  readonly next: Int32Array
  /** [rows, vocabularySize], where asked for; the caller's own. */
  readonly logits: Float32Array | undefined
}

/** The compiled model: reads tokens on top of a cache, which it extends. */
export class Decoder {
  readonly #session: Session

  private constructor(session: Session) {
    this.#session = session
  }

  /** @throws CotuneError MODEL_CONTEXT_EXCEEDED */
  static async create(init: DecoderInit): Promise<Decoder> {
    const { model, weights, base, adapters, executor, limit } = init
    const parameters = base === 'live' ? variableScope() : frozenScope(weights)
    const scope = withAdapters(parameters, model, adapters)
    const program = createDecodingProgram(model, scope, limit)
    const decoder = new Decoder(await executor.compile(program, { weights }))
    if (base === 'live')
      await closeOnFailure(decoder, async () => decoder.write(allInMemory(weights)))
    return decoder
  }

  /** Sets variables: parameters of a live base, leaves of adapters; names that the model does not use are passed over. */
  async write(values: ReadonlyMap<string, Tensor>): Promise<void> {
    await writeKnown(this.#session, values)
  }

  /**
   * Reads more tokens of the rows from `first` on, one list a row. Lists differ in length only where no row has a token yet, and have
   * several tokens for rows that do only where it is one row.
   */
  async read(
    cache: CacheColumns,
    first: number,
    lists: readonly Int32Array[],
    needsLogits: boolean,
  ): Promise<Continuation> {
    const rows = lists.length
    const longest = Math.max(...lists.map((list) => list.length))
    const tokens = new Int32Array(rows * longest)
    const positions = new Int32Array(rows * longest)
    for (const [row, list] of lists.entries()) {
      tokens.set(list, row * longest)
      const start = cache.lengths[first + row]!
      for (let i = 0; i < list.length; i++) positions[row * longest + i] = start + i
    }
    const perRow = (of: (list: Int32Array, row: number) => number) =>
      tensor(Int32Array.from(lists, of), [rows])
    const { program: known } = this.#session
    const feeds = {
      ...cache.feeds(first, rows),
      tokens: tensor(tokens, [rows * longest, 1]),
      // A model that knows distances only (ALiBi) has no such input.
      ...(known.inputs.has('positions') && { positions: tensor(positions, [rows * longest, 1]) }),
      lengths: perRow((list, row) => cache.lengths[first + row]! + list.length),
      last: perRow((list, row) => row * longest + list.length - 1),
    }
    const outputs = [...known.outputs.keys()].filter((name) => needsLogits || name !== 'logits')
    const result = await this.#session.run(feeds, { outputs })
    cache.append(
      result,
      first,
      lists.map((list) => list.length),
    )
    return {
      next: result.next!.data as Int32Array,
      logits: result.logits?.data as Float32Array | undefined,
    }
  }

  async close(): Promise<void> {
    await this.#session.close()
  }
}
