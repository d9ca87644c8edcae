import { CotuneError, EXIT } from '#base'
import type { EncodedExample } from './encode.ts'

/** The fixed sizes of a batch. */
export interface PackShape {
  /** Rows of tokens, B. */
  readonly batch: number
  /** Tokens of a row, S. */
  readonly length: number
  /** Supervised positions, M. */
  readonly rows: number
  /** Example slots, X. */
  readonly examples: number
}

/**
 * Several examples share a row of tokens, kept apart by `segments`; only the supervised positions are listed, so that logits of the
 * others are never computed. Every array has the size that the shape says; what is unused is zero.
 */
export interface PackedBatch {
  /** `[B * S]` token ids. */
  readonly tokens: Int32Array
  /** `[B * S]`, from 0 in each segment. */
  readonly positions: Int32Array
  /** `[B * S]`, from 1 in each row; 0 is padding. */
  readonly segments: Int32Array
  /** `[M]`: the position, in B * S, that predicts. */
  readonly rows: Int32Array
  /** `[M]`: the token it should predict. */
  readonly targets: Int32Array
  /** `[M]`: 0 is padding. */
  readonly rowWeight: Float32Array
  /** `[M]`: slot of the row's example. */
  readonly rowExample: Int32Array
  /** `[X]`: UTF-8 bytes of each answer, 0 for an empty slot. */
  readonly exampleBytes: Float32Array
  /** The examples by slot. */
  readonly encoded: readonly EncodedExample[]
  /** The index of each slot's example in the list that was packed. */
  readonly exampleIndex: readonly number[]
  /** By slot: where its supervised rows begin in M; they lie together. */
  readonly firstRow: readonly number[]
  /** Tokens in use. */
  readonly tokenCount: number
}

/** Packs in the order given, first fit into the open batch; nothing is lost. */
export function packExamples(encoded: readonly EncodedExample[], shape: PackShape): PackedBatch[] {
  return packTogether([encoded], [shape]).map(([batch]) => batch!)
}

/** The same examples, encoded for two models: batch i holds the same examples in the same slots for both. */
export function packPairs(
  a: readonly EncodedExample[],
  b: readonly EncodedExample[],
  shapeA: PackShape,
  shapeB: PackShape,
): (readonly [PackedBatch, PackedBatch])[] {
  return packTogether([a, b], [shapeA, shapeB]).map(([x, y]) => [x!, y!] as const)
}

function packTogether(
  lists: readonly (readonly EncodedExample[])[],
  shapes: readonly PackShape[],
): (readonly PackedBatch[])[] {
  const batches: (readonly PackedBatch[])[] = []
  let open = shapes.map((shape) => new OpenBatch(shape))
  const count = lists[0]?.length ?? 0
  for (let index = 0; index < count; index++) {
    const views = lists.map((list) => list[index]!)
    if (!open.every((batch, i) => batch.fits(views[i]!))) {
      batches.push(open.map((batch) => batch.close()))
      open = shapes.map((shape) => new OpenBatch(shape))
    }
    open.forEach((batch, i) => {
      batch.add(views[i]!, index)
    })
  }
  if (open[0]?.used) batches.push(open.map((batch) => batch.close()))
  return batches
}

class OpenBatch {
  readonly #shape: PackShape
  readonly #fill: Int32Array
  readonly #segment: Int32Array
  readonly #batch
  #row = 0
  #tokens = 0

  constructor(shape: PackShape) {
    const grid = shape.batch * shape.length
    this.#shape = shape
    this.#fill = new Int32Array(shape.batch)
    this.#segment = new Int32Array(shape.batch)
    this.#batch = {
      tokens: new Int32Array(grid),
      positions: new Int32Array(grid),
      segments: new Int32Array(grid),
      rows: new Int32Array(shape.rows),
      targets: new Int32Array(shape.rows),
      rowWeight: new Float32Array(shape.rows),
      rowExample: new Int32Array(shape.rows),
      exampleBytes: new Float32Array(shape.examples),
      encoded: [] as EncodedExample[],
      exampleIndex: [] as number[],
      firstRow: [] as number[],
    }
  }

  get used(): boolean {
    return this.#batch.encoded.length > 0
  }

  /** @throws CotuneError DATA_EXAMPLE_TOO_LONG if not even an empty batch has room */
  fits(example: EncodedExample): boolean {
    const { length, rows, examples } = this.#shape
    const supervised = supervisedTokens(example)
    const needed = example.tokens.length - 1
    if (needed > length || supervised > rows) {
      throw new CotuneError(
        'DATA_EXAMPLE_TOO_LONG',
        `an example of ${needed} tokens, ${supervised} of them supervised, does not fit into a batch of rows of ${length}`,
        { hint: 'Encode with a smaller maxLength, or use longer rows.', exit: EXIT.data },
      )
    }
    const full = this.#batch.encoded.length === examples || this.#row + supervised > rows
    return !full && this.#fill.some((fill) => fill + needed <= length)
  }

  add(example: EncodedExample, index: number): void {
    const { length } = this.#shape
    const { tokens, answerStart, promptWeight } = example
    const needed = tokens.length - 1
    const batch = this.#batch
    const line = this.#fill.findIndex((fill) => fill + needed <= length)
    const start = line * length + this.#fill[line]!
    const segment = ++this.#segment[line]!
    const slot = batch.encoded.length
    batch.firstRow.push(this.#row)
    for (let i = 0; i < needed; i++) {
      batch.tokens[start + i] = tokens[i]!
      batch.positions[start + i] = i
      batch.segments[start + i] = segment
      const weight = i + 1 >= answerStart ? 1 : promptWeight
      if (weight === 0) continue
      batch.rows[this.#row] = start + i
      batch.targets[this.#row] = tokens[i + 1]!
      batch.rowWeight[this.#row] = weight
      batch.rowExample[this.#row] = slot
      this.#row++
    }
    batch.exampleBytes[slot] = example.answerBytes
    batch.encoded.push(example)
    batch.exampleIndex.push(index)
    this.#fill[line]! += needed
    this.#tokens += needed
  }

  close(): PackedBatch {
    return { ...this.#batch, tokenCount: this.#tokens }
  }
}

function supervisedTokens({ tokens, answerStart, promptWeight }: EncodedExample): number {
  return tokens.length - (promptWeight > 0 ? 1 : answerStart)
}
