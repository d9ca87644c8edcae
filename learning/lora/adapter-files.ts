import { join } from 'node:path'
import { z } from 'zod'
import {
  CotuneError,
  concatBytes,
  EXIT,
  isCotuneError,
  readJson,
  readRegularFile,
  shown,
  writeFileAtomic,
} from '#base'
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

const MAX_CONFIG_BYTES = 4_000_000
/** As many as Node reads at once. */
const MAX_WEIGHTS_BYTES = 2 ** 31 - 1

/** Ranks and scales of single layers, which PEFT allows: only none are read. */
const noPattern = z.strictObject({}).nullish()

/** What is neither here nor a tensor that {@link checkAdapter} finds to be missing or too many changes nothing. */
const configSchema = z.object({
  peft_type: z.literal('LORA'),
  r: z.int().positive(),
  // Far more than any, and not infinite in float32.
  lora_alpha: z.number().positive().max(1e9),
  target_modules: z.array(z.string()).min(1),
  bias: z.literal('none').nullish(),
  use_dora: z.literal(false).nullish(),
  use_rslora: z.literal(false).nullish(),
  rank_pattern: noPattern,
  alpha_pattern: noPattern,
  // The others (PiSSA, OLoRA, CorDA, LoftQ) take what the adapter begins with out of the base.
  init_lora_weights: z.union([z.boolean(), z.literal(['gaussian', 'eva', 'orthogonal'])]).nullish(),
  alora_invocation_tokens: z.null().optional(),
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
 * Loads a folder as `saveAdapter` or PEFT writes it. Whether it fits a model is for {@link checkAdapter} to say.
 *
 * @throws CotuneError LORA_CONFIG_INVALID, LORA_NOT_FOUND, SAFETENSORS_*
 */
export async function loadAdapter(
  folder: string,
): Promise<{ readonly spec: LoraSpec; readonly weights: AdapterWeights }> {
  const { r: rank, lora_alpha: alpha, target_modules: targets } = await readConfig(folder)
  const bytes = await read(join(folder, PEFT_WEIGHTS), MAX_WEIGHTS_BYTES)
  const weights = [...decodeAdapter(bytes, join(folder, PEFT_WEIGHTS))].map(
    ([name, value]) =>
      [name.startsWith(PEFT_PREFIX) ? name.slice(PEFT_PREFIX.length) : name, value] as const,
  )
  return { spec: { rank, alpha, targets }, weights: new Map(weights) }
}

async function readConfig(folder: string): Promise<z.infer<typeof configSchema>> {
  const path = join(folder, PEFT_CONFIG)
  const reading = readJson(await read(path, MAX_CONFIG_BYTES))
  if (!('value' in reading)) throw configInvalid(path, reading.problem)
  const config = configSchema.safeParse(reading.value, {
    error: ({ input }) => (input === undefined ? 'it is missing' : undefined),
  })
  if (config.success) return config.data
  const [issue] = config.error.issues
  const where = shown(issue?.path.join('.') || 'its content')
  throw configInvalid(path, `is not of an adapter that is supported: ${where}: ${issue?.message}`)
}

function configInvalid(path: string, problem: string): CotuneError {
  return new CotuneError('LORA_CONFIG_INVALID', `${path} ${problem}`, {
    hint: 'Give a plain LoRA adapter of PEFT: one rank for all layers, no DoRA, no biases.',
    data: { path },
    exit: EXIT.data,
  })
}

async function read(path: string, maxBytes: number): Promise<Uint8Array> {
  try {
    return await readRegularFile(path, maxBytes)
  } catch (cause) {
    if (!isCotuneError(cause, 'FILE_UNREADABLE')) throw cause
    throw new CotuneError('LORA_NOT_FOUND', cause.message, {
      hint: `Give a folder with ${PEFT_CONFIG} and ${PEFT_WEIGHTS}.`,
      cause,
      data: { path },
      exit: EXIT.data,
    })
  }
}
