import { multiply, type Node } from '#engine'
import { activate } from './activations.ts'
import { splitColumns } from './attention.ts'
import type { Attend } from './attention-pass.ts'
import type { CausalModel } from './causal-model.ts'
import { decoderConfig, decoderFields } from './decoder-config.ts'
import { type HfConfig, readHfConfig } from './hf-config.ts'
import { only, positive, size } from './hf-fields.ts'
import { createPreNormDecoder } from './llama-decoder.ts'
import type { Modules } from './modules.ts'

// Phi-3's layers are all of one type, whatever `layer_types` would say.
const { layer_types: _, ...sharedFields } = decoderFields

const fields = {
  ...sharedFields,
  max_position_embeddings: size.default(4_096),
  original_max_position_embeddings: size.default(4_096),
  rms_norm_eps: positive.default(1e-5),
  sliding_window: size.nullish(),
  attention_bias: only(false),
  mlp_bias: only(false),
  lm_head_bias: only(false),
  full_attn_mod: only(1),
  interpolate_factor: only(1),
} as const

/**
 * Phi-3 and Phi-4-mini (Abdin et al. 2024; transformers `modeling_phi3.py`): Llama's decoder with one joint projection
 * for queries, keys and values and one for gate and up. Of LongRoPE (Ding et al. 2024) the short factors are built: such
 * a model reads as many tokens as its first training had, since beyond them every angle would change.
 */
export function createPhi3(source: HfConfig): CausalModel {
  const hf = readHfConfig(source, fields)
  const config = decoderConfig(hf, {
    family: 'phi3',
    window: hf.sliding_window ?? undefined,
    slides: () => true,
    defaultPart: 1,
    originalContextLength: hf.original_max_position_embeddings,
  })
  const { hiddenSize, intermediateSize, heads, keyValueHeads, headSize } = config
  const widths = [heads * headSize, keyValueHeads * headSize, keyValueHeads * headSize]
  const jointWidth = (heads + 2 * keyValueHeads) * headSize

  const attention = (x: Node, at: Modules, attend: Attend): Node => {
    const joint = at.linear(x, 'self_attn.qkv_proj', jointWidth)
    const [queries, keys, values] = splitColumns(joint, widths)
    return at.linear(attend(queries!, keys!, values!), 'self_attn.o_proj', hiddenSize)
  }
  const mlp = (x: Node, at: Modules): Node => {
    const joint = at.linear(x, 'mlp.gate_up_proj', 2 * intermediateSize)
    const [gate, up] = splitColumns(joint, [intermediateSize, intermediateSize])
    const gated = multiply(activate(gate!, hf.hidden_act), up!)
    return at.linear(gated, 'mlp.down_proj', hiddenSize)
  }
  return createPreNormDecoder({ config, source, attention, mlp })
}
