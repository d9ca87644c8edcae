import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { CotuneError, concatBytes, EXIT, writeFileAtomic } from '#base'
import { decodeSafetensors, encodeSafetensors, type StoredDtype } from '#learning/models'
import type { AdapterWeights, LoraSpec } from './adapter.ts'

/** AdapterWeights as the bytes of a safetensors file; the same weights give the same bytes. */
export function encodeAdapter(adapter: AdapterWeights, dtype: StoredDtype = 'float32'): Uint8Array {
  return concatBytes([...encodeSafetensors(adapter, { dtype })])
}

/** The same bytes in parts, without a copy of the numbers: to be written one after the other. */
export function adapterParts(adapter: AdapterWeights): readonly Uint8Array[] {
  return [...encodeSafetensors(adapter)]
}

/**
 * The other way.
 *
 * @throws CotuneError SAFETENSORS_*
 */
export function decodeAdapter(bytes: Uint8Array, label = 'adapter'): AdapterWeights {
  return decodeSafetensors(bytes, label)
}

const PEFT_PREFIX = 'base_model.model.'
const PEFT_CONFIG = 'adapter_config.json'
const PEFT_WEIGHTS = 'adapter_model.safetensors'

/** Ranks and scales of single layers, which PEFT allows: only none are read. */
const noPattern = z.strictObject({}).optional()

const configSchema = z.object({
  peft_type: z.literal('LORA'),
  r: z.int().positive(),
  lora_alpha: z.number().positive(),
  target_modules: z.array(z.string()).min(1),
  bias: z.literal('none').optional(),
  use_dora: z.literal(false).optional(),
  use_rslora: z.literal(false).optional(),
  rank_pattern: noPattern,
  alpha_pattern: noPattern,
})

/** Saves an adapter as PEFT does: `adapter_config.json` and `adapter_model.safetensors`. */
export async function saveAdapter(
  folder: string,
  adapter: { readonly spec: LoraSpec; readonly weights: AdapterWeights },
): Promise<void> {
  const { spec, weights } = adapter
  const config = {
    peft_type: 'LORA',
    task_type: 'CAUSAL_LM',
    r: spec.rank,
    lora_alpha: spec.alpha,
    target_modules: spec.targets,
    bias: 'none',
    // PEFT's word for weights that lie [input, output], as GPT-2's do.
    fan_in_fan_out: [...weights.keys()].some((name) => name.startsWith('transformer.h.')),
  }
  const prefixed = new Map([...weights].map(([name, value]) => [PEFT_PREFIX + name, value]))
  const encoded = encodeSafetensors(prefixed, { metadata: { format: 'pt' } })
  await writeFileAtomic(join(folder, PEFT_WEIGHTS), encoded)
  await writeFileAtomic(join(folder, PEFT_CONFIG), `${JSON.stringify(config, null, 2)}\n`)
}

/**
 * Loads a folder as `saveAdapter` or PEFT writes it.
 *
 * @throws CotuneError LORA_CONFIG_INVALID, LORA_NOT_FOUND, SAFETENSORS_*
 */
export async function loadAdapter(
  folder: string,
): Promise<{ readonly spec: LoraSpec; readonly weights: AdapterWeights }> {
  const path = join(folder, PEFT_CONFIG)
  const config = configSchema.safeParse(parseJson(await read(path)))
  if (!config.success) {
    const [issue] = config.error.issues
    throw new CotuneError(
      'LORA_CONFIG_INVALID',
      `${path}: ${issue?.path.join('.') || 'the file'} is not valid`,
      { hint: 'Plain LoRA adapters of PEFT are supported.', data: { path }, exit: EXIT.data },
    )
  }
  const { r: rank, lora_alpha: alpha, target_modules: targets } = config.data
  const bytes = await read(join(folder, PEFT_WEIGHTS))
  const weights = [...decodeAdapter(bytes, join(folder, PEFT_WEIGHTS))].map(
    ([name, value]) =>
      [name.startsWith(PEFT_PREFIX) ? name.slice(PEFT_PREFIX.length) : name, value] as const,
  )
  return { spec: { rank, alpha, targets }, weights: new Map(weights) }
}

async function read(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path)
  } catch (cause) {
    throw new CotuneError('LORA_NOT_FOUND', `${path} cannot be read`, {
      hint: `Give a folder with ${PEFT_CONFIG} and ${PEFT_WEIGHTS}.`,
      cause,
      data: { path },
      exit: EXIT.data,
    })
  }
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString())
  } catch {
    return undefined
  }
}
