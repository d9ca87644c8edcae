import { add, matmul, multiply, type Node, rmsNorm, silu } from '#engine'
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
import type { HfConfig } from './hf-config.ts'
import { createRotation, type RopeConfig } from './rope.ts'

export interface DecoderInit {
  readonly config: ModelConfig & { readonly rope: RopeConfig }
  readonly source: HfConfig
  /** Which linear layers have a bias. */
  readonly biases: {
    readonly queryKeyValue: boolean
    readonly output: boolean
    readonly mlp: boolean
  }
}

/**
 * The decoder that Llama made common and Qwen2 shares but for its biases (Touvron et al. 2023): RMS normalisation
 * before each block, rotary positions, grouped-query attention, SwiGLU.
 */
export function createDecoder({ config, source, biases }: DecoderInit): CausalModel {
  const { hiddenSize, intermediateSize, heads, keyValueHeads, headSize, vocabularySize } = config
  const { layers, tiedHead, epsilon } = config

  const layerLinears = (layer: number) => {
    const make = (module: string, inputSize: number, outputSize: number): Linear => ({
      name: `model.layers.${layer}.${module}`,
      inputSize,
      outputSize,
      layout: 'output-input',
    })
    return {
      query: make('self_attn.q_proj', hiddenSize, heads * headSize),
      key: make('self_attn.k_proj', hiddenSize, keyValueHeads * headSize),
      value: make('self_attn.v_proj', hiddenSize, keyValueHeads * headSize),
      output: make('self_attn.o_proj', heads * headSize, hiddenSize),
      gate: make('mlp.gate_proj', hiddenSize, intermediateSize),
      up: make('mlp.up_proj', hiddenSize, intermediateSize),
      down: make('mlp.down_proj', intermediateSize, hiddenSize),
    }
  }
  const hasBias = {
    query: biases.queryKeyValue,
    key: biases.queryKeyValue,
    value: biases.queryKeyValue,
    output: biases.output,
    gate: biases.mlp,
    up: biases.mlp,
    down: biases.mlp,
  }

  const parameters = new Map<string, readonly number[]>()
  const linears: Linear[] = []
  parameters.set(EMBEDDING, [vocabularySize, hiddenSize])
  for (let layer = 0; layer < layers; layer++) {
    parameters.set(`model.layers.${layer}.input_layernorm.weight`, [hiddenSize])
    for (const [role, spec] of Object.entries(layerLinears(layer))) {
      linears.push(spec)
      parameters.set(`${spec.name}.weight`, [spec.outputSize, spec.inputSize])
      if (hasBias[role as keyof typeof hasBias])
        parameters.set(`${spec.name}.bias`, [spec.outputSize])
    }
    parameters.set(`model.layers.${layer}.post_attention_layernorm.weight`, [hiddenSize])
  }
  parameters.set('model.norm.weight', [hiddenSize])
  if (!tiedHead) parameters.set(HEAD, [vocabularySize, hiddenSize])

  function hidden(inputs: HiddenInputs, scope: ParameterScope): HiddenStates {
    const { tokens, positions, cache } = inputs
    const batch = tokens.shape[0]!
    const mask = attentionMask(inputs)
    const rotate = createRotation(positions, columnsOf(inputs, config), headSize, config.rope)
    const norm = (x: Node, name: string) => rmsNorm(x, scope.parameter(name, [hiddenSize]), epsilon)

    const keys: Node[] = []
    const values: Node[] = []
    let x = embed(scope.parameter(EMBEDDING, [vocabularySize, hiddenSize]), tokens)
    for (let layer = 0; layer < layers; layer++) {
      const at = layerLinears(layer)
      const apply = (role: keyof typeof at, input: Node) =>
        linear(input, at[role], scope, { bias: hasBias[role] })

      const read = norm(x, `model.layers.${layer}.input_layernorm.weight`)
      const queries = rotate(splitHeads(apply('query', read), batch, heads))
      const layerKeys = rotate(splitHeads(apply('key', read), batch, keyValueHeads))
      const layerValues = splitHeads(apply('value', read), batch, keyValueHeads)
      keys.push(layerKeys)
      values.push(layerValues)
      const mixed = attend(
        {
          queries,
          keys: layerKeys,
          values: layerValues,
          cachedKeys: cache?.keys[layer],
          cachedValues: cache?.values[layer],
        },
        mask,
      )
      x = add(x, apply('output', mixed))

      const thought = norm(x, `model.layers.${layer}.post_attention_layernorm.weight`)
      const gated = multiply(silu(apply('gate', thought)), apply('up', thought))
      x = add(x, apply('down', gated))
    }
    return { states: norm(x, 'model.norm.weight'), keys, values }
  }

  function logits(rows: Node, scope: ParameterScope): Node {
    const head = scope.parameter(tiedHead ? EMBEDDING : HEAD, [vocabularySize, hiddenSize])
    return matmul(rows, head, { transposeB: true })
  }

  return {
    family: config.family,
    config,
    source,
    parameters,
    linears,
    resolveName: (stored) => {
      if (stored.endsWith('.rotary_emb.inv_freq')) return undefined
      return tiedHead && stored === HEAD ? undefined : stored
    },
    hidden,
    logits,
  }
}

const EMBEDDING = 'model.embed_tokens.weight'
const HEAD = 'lm_head.weight'
