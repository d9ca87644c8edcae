import { describe, expect, it } from 'vitest'
import { createModel } from '#learning/models'
import { stepFlops } from '../../bench/flops.ts'

// Width 4, two heads of 2 over one head of keys, MLP 6, vocabulary 10, two layers; 1 x 3 tokens: 3 rows.
const model = createModel({
  model_type: 'llama',
  vocab_size: 10,
  hidden_size: 4,
  intermediate_size: 6,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
})
const work = { batch: 1, length: 3, rank: 1 }

// Multiplications of one row by hand: q 4x4, k 4x2, v 4x2, o 4x4, gate, up and down 4x6 each.
const [Q, K, V, O, MLP, HEAD] = [16, 8, 8, 16, 72, 40]
const LAYER = Q + K + V + O + MLP
/** Of one product of attention: 2 heads, 3 x 3 scores, 2 wide. */
const SQUARE = 2 * 9 * 2

describe('stepFlops', () => {
  it('counts three products a matrix where everything is trained', () => {
    const expected = 2 * 3 * (3 * HEAD + 2 * 3 * LAYER) + 2 * 2 * 6 * SQUARE
    expect(stepFlops(model, { ...work, trained: 'full' })).toBe(expected)
  })

  it('counts two where it is frozen, one where nothing trained lies below, and those of LoRA', () => {
    const frozen = 2 * HEAD + 2 * 2 * LAYER - (Q + K + V)
    const inputs = 4 + 4 + 4 + 4 + 4 + 4 + 6
    const outputs = 4 + 2 + 2 + 4 + 6 + 6 + 4
    const lora = 2 * 3 * (inputs + outputs) - (4 + 4 + 4)
    const expected = 2 * 3 * (frozen + lora) + 2 * 2 * 6 * SQUARE
    expect(stepFlops(model, { ...work, trained: 'all' })).toBe(expected)
  })

  it('counts LoRA on queries and values alone, and no gradient for the first keys', () => {
    const frozen = 2 * HEAD + 2 * 2 * LAYER - (Q + K + V)
    const lora = 2 * 3 * (4 + 4 + 4 + 2) - (4 + 4)
    const expected = 2 * 3 * (frozen + lora) + 2 * (2 * 6 - 1) * SQUARE
    expect(stepFlops(model, { ...work, trained: 'qv' })).toBe(expected)
  })
})
