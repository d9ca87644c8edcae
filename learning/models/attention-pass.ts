import { cachedAttention, type Node, pad, reshape, slice } from '#engine'
import { attend, splitHeads } from './attention.ts'
import { attentionMasks } from './attention-masks.ts'
import { cachedHeadSize } from './cached-head-size.ts'
import type { HiddenInputs, KeyValueCache, ModelConfig } from './causal-model.ts'
import type { LayerAttention } from './layer-attention.ts'
import { createRotations, type Rotation } from './rope.ts'

/**
 * Attention of one layer, not yet rotated: queries [B * S, H * D], keys and values [B * S, G * D], of which the last axis
 * may also be [.., heads, D] -> [B * S, H * D].
 */
export type Attend = (queries: Node, keys: Node, values: Node) => Node

/** What the layers of one forward pass share: angles, masks, the cache; and the keys and values that it leaves. */
export class AttentionPass {
  readonly keys: Node[] = []
  readonly values: Node[] = []
  readonly #config: ModelConfig
  readonly #inputs: HiddenInputs
  readonly #rotationOf: (layer: LayerAttention) => Rotation
  readonly #maskOf: ReturnType<typeof attentionMasks>

  /** @param columns the number of columns that the pass attends to at most */
  constructor(inputs: HiddenInputs, config: ModelConfig, columns: number) {
    this.#config = config
    this.#inputs = inputs
    this.#rotationOf = createRotations(inputs.positions, columns, config.rope)
    this.#maskOf = attentionMasks(inputs)
  }

  /** To be called once a layer, in their order. */
  layer(index: number): Attend {
    const { cache } = this.#inputs
    const layer = this.#config.attention[index]!
    return cache === undefined ? this.#attend(layer) : this.#attendCached(layer, cache, index)
  }

  #attend(layer: LayerAttention): Attend {
    const { heads, keyValueHeads } = this.#config
    const split = (x: Node, count: number) => splitHeads(x, this.#inputs.tokens.shape[0]!, count)
    return (queries, keys, values) => {
      const rotate = this.#rotationOf(layer)
      const parts = {
        queries: rotate(split(queries, heads)),
        keys: rotate(split(keys, keyValueHeads)),
        values: split(values, keyValueHeads),
      }
      return attend(parts, layer, (block) => this.#maskOf(layer, block))
    }
  }

  #attendCached(layer: LayerAttention, cache: KeyValueCache, index: number): Attend {
    const { heads, keyValueHeads, headSize } = this.#config
    const { scale, window, softcap, alibiSlopes } = layer
    const [tokens] = this.#inputs.tokens.shape as [number]
    const width = cachedHeadSize(this.#config)
    const split = (x: Node, count: number) => reshape(x, [tokens, count, 1, headSize])
    // Zeros at the end of a head change no score; those of a value are cut off again.
    const flat = (x: Node) =>
      reshape(width === headSize ? x : pad(x, 3, 0, width - headSize), [
        tokens,
        x.shape[1]! * width,
      ])
    return (q, k, v) => {
      const rotate = this.#rotationOf(layer)
      const keys = flat(rotate(split(k, keyValueHeads)))
      const isFlat = width === headSize && v.shape.length === 2
      const values = isFlat ? v : flat(split(v, keyValueHeads))
      this.keys.push(keys)
      this.values.push(values)
      const mixed = cachedAttention(
        {
          queries: flat(rotate(split(q, heads))),
          keys,
          values,
          cachedKeys: cache.keys[index]!,
          cachedValues: cache.values[index]!,
          lengths: cache.lengths,
        },
        { scale, window, softcap, alibiSlopes },
      )
      if (width === headSize) return mixed
      const whole = slice(reshape(mixed, [tokens, heads, width]), 2, 0, headSize)
      return reshape(whole, [tokens, heads * headSize])
    }
  }
}
