import { type Tensor, tensor } from '#engine'
import { cachedHeadSize, type ModelConfig } from '#learning/models'
import { keysName, valuesName } from './decoding-program.ts'

/** Columns are added by so many: more would be read for nothing, fewer would move what is there more often. */
const COLUMN_STEP = 64

/**
 * The keys and values of rows that are being decoded, [rows, G, T, W] a layer. Runs read these arrays as they are; what a run adds,
 * a few columns a row, is written into them here. T grows with the longest row.
 */
export class CacheColumns {
  /** Tokens of each row. */
  readonly lengths: Int32Array
  readonly #rows: number
  readonly #heads: number
  readonly #width: number
  readonly #data = new Map<string, Float32Array>()
  #columns = 0

  constructor(config: ModelConfig, rows: number) {
    this.#rows = rows
    this.#heads = config.keyValueHeads
    this.#width = cachedHeadSize(config)
    this.lengths = new Int32Array(rows)
    for (let layer = 0; layer < config.layers; layer++)
      for (const name of [keysName(layer), valuesName(layer)])
        this.#data.set(name, new Float32Array())
  }

  /** The cache of `count` rows from `first` on, as a run is fed it. Rows without a token need no columns. */
  feeds(first: number, count: number): Record<string, Tensor> {
    const isEmpty = this.lengths.subarray(first, first + count).every((length) => length === 0)
    const columns = isEmpty ? 0 : this.#columns
    const shape = [count, this.#heads, columns, this.#width]
    const row = this.#heads * columns * this.#width
    return Object.fromEntries(
      [...this.#data].map(([name, data]) => [
        name,
        tensor(data.subarray(first * row, (first + count) * row), shape),
      ]),
    )
  }

  /**
   * Takes what a run of `lengths.length` rows from `first` on adds: of each row's [S, G * W] the first `lengths[i]` tokens.
   */
  append(
    outputs: Readonly<Record<string, Tensor>>,
    first: number,
    lengths: readonly number[],
  ): void {
    this.#reserve(Math.max(...lengths.map((length, i) => this.lengths[first + i]! + length)))
    const [heads, width, columns] = [this.#heads, this.#width, this.#columns]
    for (const [name, cache] of this.#data) {
      const data = outputs[name]!.data as Float32Array
      const stride = data.length / lengths.length
      for (const [i, length] of lengths.entries())
        for (let head = 0; head < heads; head++) {
          const start = this.lengths[first + i]!
          let to = (((first + i) * heads + head) * columns + start) * width
          for (let token = 0; token < length; token++, to += width) {
            const from = i * stride + (token * heads + head) * width
            cache.set(data.subarray(from, from + width), to)
          }
        }
    }
    for (const [i, length] of lengths.entries()) this.lengths[first + i]! += length
  }

  /** Puts one row in the place of another. */
  move(from: number, to: number): void {
    const row = this.#heads * this.#columns * this.#width
    for (const data of this.#data.values()) data.copyWithin(to * row, from * row, (from + 1) * row)
    this.lengths[to] = this.lengths[from]!
  }

  #reserve(columns: number): void {
    if (columns <= this.#columns) return
    const wanted = COLUMN_STEP * Math.ceil(columns / COLUMN_STEP)
    const [before, after] = [this.#columns * this.#width, wanted * this.#width]
    for (const [name, data] of this.#data) {
      const grown = new Float32Array(this.#rows * this.#heads * after)
      for (let i = 0; before > 0 && i * before < data.length; i++)
        grown.set(data.subarray(i * before, (i + 1) * before), i * after)
      this.#data.set(name, grown)
    }
    this.#columns = wanted
  }
}
