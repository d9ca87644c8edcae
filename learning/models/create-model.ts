import { CotuneError, EXIT, shown, shownJson } from '#base'
import { createBloom } from './bloom.ts'
import type { CausalModel, Family } from './causal-model.ts'
import { createGemma2 } from './gemma2.ts'
import { createGptNeox } from './gpt-neox.ts'
import { createGpt2 } from './gpt2.ts'
import { configInvalid, type HfConfig } from './hf-config.ts'
import { createLlama } from './llama.ts'
import { createMistral } from './mistral.ts'
import { createOlmo2 } from './olmo2.ts'
import { createOpt } from './opt.ts'
import { createPhi } from './phi.ts'
import { createPhi3 } from './phi3.ts'
import { createQwen2 } from './qwen2.ts'
import { createQwen3 } from './qwen3.ts'
import { createSmollm3 } from './smollm3.ts'

const FAMILIES: Readonly<Record<Family, (config: HfConfig) => CausalModel>> = {
  bloom: createBloom,
  gemma2: createGemma2,
  gpt2: createGpt2,
  gpt_neox: createGptNeox,
  llama: createLlama,
  mistral: createMistral,
  olmo2: createOlmo2,
  opt: createOpt,
  phi: createPhi,
  phi3: createPhi3,
  qwen2: createQwen2,
  qwen3: createQwen3,
  smollm3: createSmollm3,
}

/**
 * The model a Hugging Face configuration describes; `model_type` chooses the family.
 *
 * @throws CotuneError MODEL_TYPE_UNSUPPORTED, MODEL_CONFIG_INVALID or MODEL_CONFIG_UNSUPPORTED, naming the key
 */
export function createModel(config: HfConfig): CausalModel {
  const type = config.model_type
  if (typeof type !== 'string') throw configInvalid('model_type', 'model_type is missing')
  if (!Object.hasOwn(FAMILIES, type)) throw unsupportedType(type, config)
  return FAMILIES[type as Family](config)
}

function unsupportedType(type: string, config: HfConfig): CotuneError {
  const { architectures } = config
  const causal =
    !Array.isArray(architectures) ||
    architectures.some((name) => typeof name === 'string' && /CausalLM|LMHeadModel/.test(name))
  const supported = Object.keys(FAMILIES).join(', ')
  const message = causal
    ? `model_type ${shownJson(type)} is not supported (supported: ${supported})`
    : `model_type ${shownJson(type)} is not a causal language model`
  return new CotuneError('MODEL_TYPE_UNSUPPORTED', `config.json: ${message}`, {
    hint: `Choose a checkpoint of one of the families ${supported}.`,
    data: { modelType: shown(type) },
    exit: EXIT.data,
  })
}
