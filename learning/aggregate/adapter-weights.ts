import { CotuneError } from '#base'
import type { AdapterWeights } from '#learning/lora'

export type { AdapterWeights }

/** The names of one LoRA pair. */
export interface LoraPair {
  readonly a: string
  readonly b: string
}

const A_ENDING = '.lora_A.weight'
const B_ENDING = '.lora_B.weight'

/** The name of B that belongs to a name of A; undefined for any other name. */
export function pairOf(name: string): LoraPair | undefined {
  if (!name.endsWith(A_ENDING)) return undefined
  return { a: name, b: `${name.slice(0, -A_ENDING.length)}${B_ENDING}` }
}

/** Whether a tensor is half of a LoRA pair. */
export function isLora(name: string): boolean {
  return name.endsWith(A_ENDING) || name.endsWith(B_ENDING)
}

/** The values of a float32 tensor. @throws CotuneError AGGREGATE_NAMES when it is missing, AGGREGATE_DTYPE when it is not float32. */
export function floatsOf(weights: AdapterWeights, name: string): Float32Array {
  const found = weights.get(name)
  if (found === undefined)
    throw new CotuneError('AGGREGATE_NAMES', `An update has no tensor ${name}.`, {
      hint: 'All updates of a round must adapt the same modules; this one is refused.',
      data: { name },
    })
  if (!(found.data instanceof Float32Array))
    throw new CotuneError('AGGREGATE_DTYPE', `The tensor ${name} is not float32.`, {
      hint: 'Adapters travel and are merged as float32; decode the update first.',
      data: { name, dtype: found.dtype },
    })
  return found.data
}
