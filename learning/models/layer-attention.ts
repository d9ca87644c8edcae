/** How one layer attends, beyond the sizes that all layers share. */
export interface LayerAttention {
  /** What the product of queries and keys is multiplied with: 1 / sqrt(headSize) in most families. */
  readonly scale: number
  /** How many leading elements of each head are rotated by position; 0 for none. */
  readonly rotaryWidth: number
  /** A token sees itself and the `window - 1` tokens before it; left out: all before it. */
  readonly window?: number
  /** Scaled scores s become c tanh(s / c) before the mask (Gemma 2). */
  readonly softcap?: number
  /** One a head: a score loses this much for each token of distance (Press et al. 2022). */
  readonly alibiSlopes?: readonly number[]
}
