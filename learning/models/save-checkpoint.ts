import { randomBytes } from 'node:crypto'
import { rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { CotuneError, syncFolder, writeFileAtomic } from '#base'
import type { Tensor } from '#engine'
import type { CausalModel, Family } from './causal-model.ts'
import { CONFIG_FILE } from './checkpoint-config.ts'
import { TOKENIZER_FILE } from './open-checkpoint.ts'
import { encodeSafetensors, type StoredDtype } from './safetensors.ts'
import { WEIGHTS_FILE } from './weight-files.ts'

export interface SaveCheckpointInit {
  readonly model: CausalModel
  readonly weights: ReadonlyMap<string, Tensor>
  /** The `tokenizer.json` object, or its text. */
  readonly tokenizer?: object | string
  /** Default `float32`. */
  readonly dtype?: StoredDtype
  /** More files by name, such as README.md. */
  readonly files?: Readonly<Record<string, string>>
}

const ARCHITECTURES: Readonly<Record<Family, string>> = {
  bloom: 'BloomForCausalLM',
  gemma2: 'Gemma2ForCausalLM',
  gpt2: 'GPT2LMHeadModel',
  gpt_neox: 'GPTNeoXForCausalLM',
  llama: 'LlamaForCausalLM',
  mistral: 'MistralForCausalLM',
  olmo2: 'Olmo2ForCausalLM',
  opt: 'OPTForCausalLM',
  phi: 'PhiForCausalLM',
  phi3: 'Phi3ForCausalLM',
  qwen2: 'Qwen2ForCausalLM',
  qwen3: 'Qwen3ForCausalLM',
  smollm3: 'SmolLM3ForCausalLM',
}

/**
 * Saves a Hugging Face style folder in place of whatever was there. It is written beside its place and moved at the
 * end, so `folder` never holds half a checkpoint.
 *
 * @throws CotuneError MODEL_TENSOR_MISSING if `weights` lacks a parameter
 */
export async function saveCheckpoint(folder: string, init: SaveCheckpointInit): Promise<void> {
  const { model, tokenizer, dtype = 'float32', files = {} } = init
  const config = {
    architectures: [ARCHITECTURES[model.family]],
    ...model.source,
    torch_dtype: dtype,
  }
  const suffix = randomBytes(6).toString('hex')
  const temporary = `${folder}.${suffix}.tmp`
  const write = (name: string, content: string | Iterable<Uint8Array>) =>
    writeFileAtomic(join(temporary, name), content)
  try {
    await write(CONFIG_FILE, `${JSON.stringify(config, null, 2)}\n`)
    await write(
      WEIGHTS_FILE,
      encodeSafetensors(orderedWeights(init), { dtype, metadata: { format: 'pt' } }),
    )
    if (tokenizer !== undefined)
      await write(
        TOKENIZER_FILE,
        typeof tokenizer === 'string' ? tokenizer : JSON.stringify(tokenizer),
      )
    for (const [name, text] of Object.entries(files)) await write(name, text)
    await replaceFolder(temporary, folder, `${folder}.${suffix}.old`)
  } catch (error) {
    await rm(temporary, { recursive: true, force: true })
    throw error
  }
}

function orderedWeights({ model, weights }: SaveCheckpointInit): ReadonlyMap<string, Tensor> {
  const ordered = new Map<string, Tensor>()
  for (const name of model.parameters.keys()) {
    const tensor = weights.get(name)
    if (tensor === undefined)
      throw new CotuneError('MODEL_TENSOR_MISSING', `tensor ${name} is missing`, {
        hint: 'Save all parameters of the model, not an adapter alone.',
        data: { tensor: name },
      })
    ordered.set(name, tensor)
  }
  return ordered
}

async function replaceFolder(from: string, to: string, aside: string): Promise<void> {
  const existed = await rename(to, aside).then(
    () => true,
    () => false,
  )
  await rename(from, to)
  await syncFolder(dirname(to))
  if (existed) await rm(aside, { recursive: true, force: true })
}
