import type { Node } from '#engine'
import { attend, splitHeads } from './attention.ts'
import { type AttentionMask, attentionMasks } from './attention-masks.ts'
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
  readonly #maskOf: (layer: LayerAttention) => AttentionMask
  readonly #rotationOf: (layer: LayerAttention) => Rotation
  readonly #batch: number
  readonly #cache: KeyValueCache | undefined

  /** @param columns the number of columns that the pass attends to at most */
  constructor(inputs: HiddenInputs, config: ModelConfig, columns: number) {
    this.#config = config
    this.#maskOf = attentionMasks(inputs)
    this.#rotationOf = createRotations(inputs.positions, columns, config.rope)
    this.#batch = inputs.tokens.shape[0]!
    this.#cache = inputs.cache
  }

  /** To be called once a layer, in their order. */
  layer(index: number): Attend {
    const { attention, heads, keyValueHeads } = this.#config
    const layer = attention[index]!
    const split = (x: Node, count: number) => splitHeads(x, this.#batch, count)
    return (q, k, v) => {
      const rotate = this.#rotationOf(layer)
      const keys = rotate(split(k, keyValueHeads))
      const values = split(v, keyValueHeads)
      this.keys.push(keys)
      this.values.push(values)
      const parts = {
        queries: rotate(split(q, heads)),
        keys,
        values,
        cachedKeys: this.#cache?.keys[index],
        cachedValues: this.#cache?.values[index],
      }
      return attend(parts, layer, this.#maskOf(layer))
    }
  }
}
