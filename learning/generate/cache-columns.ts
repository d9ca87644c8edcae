import { type Tensor, tensor, zeroTensor } from '#engine'
import type { ModelConfig } from '#learning/models'
import { keysName, valuesName } from './decoding-programs.ts'

/**
 * The keys and values of a batch while it is decoded, [B, G, T, D] a layer. Programs read these very arrays; what a
 * step adds, one column a row, is written into them here, so the cache is never copied.
 */
export class CacheColumns {
  readonly #tensors: Readonly<Record<string, Tensor>>
  readonly #filled: Tensor
  /** How many columns of each row are filled. */
  readonly lengths: Int32Array
  readonly #rowHeads: number
  readonly #heads: number
  readonly #columns: number
  readonly #headSize: number

  constructor(config: ModelConfig, batch: number, columns: number) {
    const { layers, keyValueHeads, headSize } = config
    const tensors: Record<string, Tensor> = {}
    for (let layer = 0; layer < layers; layer++)
      for (const name of [keysName(layer), valuesName(layer)])
        tensors[name] = zeroTensor([batch, keyValueHeads, columns, headSize])
    this.#tensors = tensors
    this.#filled = zeroTensor([batch, columns])
    this.lengths = new Int32Array(batch)
    this.#rowHeads = batch * keyValueHeads
    this.#heads = keyValueHeads
    this.#columns = columns
    this.#headSize = headSize
  }

  /** What the step program is fed beside its tokens. */
  feeds(): Record<string, Tensor> {
    return { ...this.#tensors, filled: this.#filled }
  }

  /** The position of each row's next token, [B, 1]. */
  positions(): Tensor {
    return tensor(Int32Array.from(this.lengths), [this.lengths.length, 1])
  }

  /**
   * Takes the keys and values of prompts, [B, G, P, D] a layer, of which the first `lengths[b]` columns count; the
   * others are overwritten one by one as the row grows.
   */
  start(outputs: Readonly<Record<string, Tensor>>, lengths: Int32Array): void {
    const width = Math.min(outputs[keysName(0)]!.shape[2]!, this.#columns) * this.#headSize
    this.#copy(outputs, width, () => 0)
    this.lengths.set(lengths)
    this.#filled.data.fill(0)
    for (const [row, length] of lengths.entries())
      this.#filled.data.fill(1, row * this.#columns, row * this.#columns + length)
  }

  /** Takes the keys and values of one more token a row, [B, G, 1, D] a layer. A full row keeps what it has. */
  append(outputs: Readonly<Record<string, Tensor>>): void {
    this.#copy(outputs, this.#headSize, (row) => Math.min(this.lengths[row]!, this.#columns - 1))
    for (const [row, length] of this.lengths.entries()) {
      if (length >= this.#columns) continue
      this.#filled.data[row * this.#columns + length] = 1
      this.lengths[row] = length + 1
    }
  }

  #copy(
    outputs: Readonly<Record<string, Tensor>>,
    width: number,
    columnOf: (row: number) => number,
  ): void {
    for (const [name, { data: cache }] of Object.entries(this.#tensors)) {
      const { data } = outputs[name]!
      const stride = data.length / this.#rowHeads
      for (let rowHead = 0; rowHead < this.#rowHeads; rowHead++) {
        const column = columnOf(Math.floor(rowHead / this.#heads))
        const from = rowHead * stride
        const to = (rowHead * this.#columns + column) * this.#headSize
        cache.set(data.subarray(from, from + width), to)
      }
    }
  }
}
