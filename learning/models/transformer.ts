import { add, matmul, multiply, type Node, scalar, tanh } from '#engine'
import { type Attend, AttentionPass } from './attention-pass.ts'
import type {
  CausalModel,
  HiddenInputs,
  HiddenStates,
  ModelConfig,
  ParameterScope,
} from './causal-model.ts'
import { columnsOf } from './columns.ts'
import type { HfConfig } from './hf-config.ts'
import { Modules } from './modules.ts'
import { recordParameters } from './record-parameters.ts'

/** What a family says of itself. `at` are the modules of the place a function is about. */
export interface TransformerInit {
  readonly config: ModelConfig
  readonly source: HfConfig
  /** Hugging Face names of modules: of the token embedding, of the list of layers, of an untied head. */
  readonly names: { readonly embedding: string; readonly layers: string; readonly head: string }
  /** What the first layer reads, [B * S, hiddenSize], from the embedded tokens; these themselves if left out. */
  readonly enter?: (embedded: Node, inputs: HiddenInputs, at: Modules) => Node
  /** One layer, [B * S, hiddenSize] -> [B * S, hiddenSize]. */
  readonly layer: (x: Node, at: Modules, attend: Attend) => Node
  /** What follows the last layer, up to what the head reads: the final normalisation. */
  readonly leave: (x: Node, at: Modules) => Node
  readonly head?: {
    readonly bias?: boolean
    /** Logits l become c tanh(l / c). */
    readonly softcap?: number | undefined
  }
}

/** Stored beside the parameters by some versions: causal masks and rotary frequencies. */
const BUFFER = /(\.(attn|attention)\.(masked_)?bias|\.rotary_emb\.inv_freq)$/

/**
 * A causal transformer of a family's pieces: embedding, layers, final normalisation, head.
 * Its parameters are found by building its graph once, for one token: each is said where it is used, and nowhere else.
 */
export function createTransformer(init: TransformerInit): CausalModel {
  const { config, source, names, enter, layer, leave, head = {} } = init
  const { hiddenSize, embeddingSize = hiddenSize, vocabularySize } = config
  const { tiedHead, layers, epsilon } = config
  const embeddingWeight = `${names.embedding}.weight`
  const headWeight = `${names.head}.weight`

  // Some files, those of a model without its head among them, leave the first part of each name out.
  const prefix = names.layers.replace(/\..*/, '.')

  function hidden(inputs: HiddenInputs, scope: ParameterScope): HiddenStates {
    const pass = new AttentionPass(inputs, config, columnsOf(inputs, config))
    const root = new Modules(scope, '', epsilon)
    const embedded = root.embed(inputs.tokens, names.embedding, vocabularySize, embeddingSize)
    let x = enter === undefined ? embedded : enter(embedded, inputs, root)
    for (let index = 0; index < layers; index++)
      x = layer(x, root.within(`${names.layers}.${index}`), pass.layer(index))
    return { states: leave(x, root), keys: pass.keys, values: pass.values }
  }

  function logits(rows: Node, scope: ParameterScope): Node {
    const name = tiedHead ? embeddingWeight : headWeight
    const weight = scope.parameter(name, [vocabularySize, embeddingSize])
    let y = matmul(rows, weight, { transposeB: true })
    if (head.bias) y = add(y, scope.parameter(`${names.head}.bias`, [vocabularySize]))
    if (head.softcap === undefined) return y
    return multiply(tanh(multiply(y, scalar(1 / head.softcap))), scalar(head.softcap))
  }

  const { parameters, linears } = recordParameters(hidden, logits)
  return {
    family: config.family,
    config,
    source,
    parameters,
    linears,
    embeddingWeight,
    headWeight,
    resolveName: (stored) => {
      if (BUFFER.test(stored)) return undefined
      if (tiedHead && stored === headWeight) return undefined
      const whole = prefix + stored
      return parameters.has(whole) ? whole : stored
    },
    hidden,
    logits,
  }
}
