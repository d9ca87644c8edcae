import { z } from 'zod'
import { add, gelu, layerNorm, matmul, type Node, slice } from '#engine'
import { attend, attentionMask, splitHeads } from './attention.ts'
import { embed, linear } from './blocks.ts'
import type {
  CausalModel,
  HiddenInputs,
  HiddenStates,
  Linear,
  ModelConfig,
  ParameterScope,
} from './causal-model.ts'
import { columnsOf } from './columns.ts'
import {
  configInvalid,
  flag,
  type HfConfig,
  layerCount,
  parseHfConfig,
  positive,
  requireOption,
  size,
  tokenId,
  tokenIds,
} from './hf-config.ts'

const schema = z.object({
  vocab_size: size,
  n_embd: size,
  n_layer: layerCount,
  n_head: size,
  n_positions: size.default(1024),
  n_inner: size.nullish(),
  layer_norm_epsilon: positive.default(1e-5),
  tie_word_embeddings: flag.default(true),
  bos_token_id: tokenId.nullish(),
  eos_token_id: tokenIds.default([]),
})

const EMBEDDING = 'transformer.wte.weight'
const POSITIONS = 'transformer.wpe.weight'
const HEAD = 'lm_head.weight'

/**
 * GPT-2 (Radford et al. 2019): learned positions, layer normalisation before each block, one joint projection for
 * queries, keys and values, and weights that lie [input, output] (`Conv1D`).
 * Names are those of `GPT2LMHeadModel`; the hub's files leave the prefix `transformer.` out and hold mask buffers.
 */
export function createGpt2(source: HfConfig): CausalModel {
  const config = parseConfig(source)
  const { hiddenSize: width, intermediateSize, heads, layers, vocabularySize, tiedHead } = config

  const layerLinears = (layer: number) => {
    const make = (module: string, inputSize: number, outputSize: number): Linear => ({
      name: `transformer.h.${layer}.${module}`,
      inputSize,
      outputSize,
      layout: 'input-output',
    })
    return {
      queryKeyValue: make('attn.c_attn', width, 3 * width),
      output: make('attn.c_proj', width, width),
      up: make('mlp.c_fc', width, intermediateSize),
      down: make('mlp.c_proj', intermediateSize, width),
    }
  }

  const parameters = new Map<string, readonly number[]>()
  const linears: Linear[] = []
  const addNorm = (name: string) => {
    parameters.set(`${name}.weight`, [width])
    parameters.set(`${name}.bias`, [width])
  }
  parameters.set(EMBEDDING, [vocabularySize, width])
  parameters.set(POSITIONS, [config.contextLength, width])
  for (let layer = 0; layer < layers; layer++) {
    addNorm(`transformer.h.${layer}.ln_1`)
    for (const spec of Object.values(layerLinears(layer))) {
      linears.push(spec)
      parameters.set(`${spec.name}.weight`, [spec.inputSize, spec.outputSize])
      parameters.set(`${spec.name}.bias`, [spec.outputSize])
    }
    addNorm(`transformer.h.${layer}.ln_2`)
  }
  addNorm('transformer.ln_f')
  if (!tiedHead) parameters.set(HEAD, [vocabularySize, width])

  function hidden(inputs: HiddenInputs, scope: ParameterScope): HiddenStates {
    const { tokens, positions, cache } = inputs
    const batch = tokens.shape[0]!
    columnsOf(inputs, config)
    const mask = attentionMask(inputs)
    const norm = (x: Node, name: string) =>
      layerNorm(
        x,
        scope.parameter(`${name}.weight`, [width]),
        scope.parameter(`${name}.bias`, [width]),
        config.epsilon,
      )

    const keys: Node[] = []
    const values: Node[] = []
    let x = add(
      embed(scope.parameter(EMBEDDING, [vocabularySize, width]), tokens),
      embed(scope.parameter(POSITIONS, [config.contextLength, width]), positions),
    )
    for (let layer = 0; layer < layers; layer++) {
      const at = layerLinears(layer)
      const apply = (role: keyof typeof at, input: Node) =>
        linear(input, at[role], scope, { bias: true })

      const joint = apply('queryKeyValue', norm(x, `transformer.h.${layer}.ln_1`))
      const part = (index: number) =>
        splitHeads(slice(joint, 1, index * width, (index + 1) * width), batch, heads)
      const layerKeys = part(1)
      const layerValues = part(2)
      keys.push(layerKeys)
      values.push(layerValues)
      const mixed = attend(
        {
          queries: part(0),
          keys: layerKeys,
          values: layerValues,
          cachedKeys: cache?.keys[layer],
          cachedValues: cache?.values[layer],
        },
        mask,
      )
      x = add(x, apply('output', mixed))
      x = add(x, apply('down', gelu(apply('up', norm(x, `transformer.h.${layer}.ln_2`)))))
    }
    return { states: norm(x, 'transformer.ln_f'), keys, values }
  }

  function logits(rows: Node, scope: ParameterScope): Node {
    const head = scope.parameter(tiedHead ? EMBEDDING : HEAD, [vocabularySize, width])
    return matmul(rows, head, { transposeB: true })
  }

  return {
    family: 'gpt2',
    config,
    source,
    parameters,
    linears,
    resolveName: (stored) => {
      if (/\.attn\.(masked_)?bias$/.test(stored)) return undefined
      if (stored === HEAD) return tiedHead ? undefined : stored
      return /^(wte|wpe|h|ln_f)\./.test(stored) ? `transformer.${stored}` : stored
    },
    hidden,
    logits,
  }
}

function parseConfig(source: HfConfig): ModelConfig {
  const hf = parseHfConfig(schema, source)
  requireOption(source, 'activation_function', ['gelu_new', 'gelu_pytorch_tanh'])
  requireOption(source, 'scale_attn_weights', [true])
  requireOption(source, 'scale_attn_by_inverse_layer_idx', [false])
  const headSize = hf.n_embd / hf.n_head
  if (!Number.isInteger(headSize))
    throw configInvalid('n_head', `n_embd ${hf.n_embd} is not divisible by n_head ${hf.n_head}`)
  return {
    family: 'gpt2',
    vocabularySize: hf.vocab_size,
    hiddenSize: hf.n_embd,
    layers: hf.n_layer,
    heads: hf.n_head,
    keyValueHeads: hf.n_head,
    headSize,
    intermediateSize: hf.n_inner ?? 4 * hf.n_embd,
    contextLength: hf.n_positions,
    tiedHead: hf.tie_word_embeddings,
    epsilon: hf.layer_norm_epsilon,
    rope: undefined,
    eosIds: hf.eos_token_id,
    bosId: hf.bos_token_id ?? undefined,
  }
}
