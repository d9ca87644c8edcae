import type { CausalModel } from './causal-model.ts'
import { weightDtype } from './safetensors.ts'
import { createStoredTensor, type StoredTensor } from './stored-tensor.ts'
import type { WeightEntry } from './weight-files.ts'

/**
 * Whether the files hold a head with numbers of its own although config.json ties it to the embedding. Most have none, or
 * a copy. transformers 5 goes by the numbers then and leaves the two apart (`tie_weights` of `modeling_utils.py`).
 *
 * @param entries by the names in the files
 * @throws CotuneError MODEL_TENSOR_NOT_FINITE, SAFETENSORS_TRUNCATED, FILE_UNREADABLE
 */
export async function hasUntiedHead(
  { config, embeddingWeight, headWeight, resolveName }: CausalModel,
  entries: ReadonlyMap<string, WeightEntry>,
): Promise<boolean> {
  const head = entries.get(headWeight)
  if (!config.tiedHead || head === undefined) return false
  const embedding = [...entries.values()].find(({ name }) => resolveName(name) === embeddingWeight)
  if (embedding === undefined) return false
  const isAlike = head.dtype === embedding.dtype && String(head.shape) === String(embedding.shape)
  return !isAlike || !(await holdTheSame(storedAs(head), storedAs(embedding)))
}

function storedAs(entry: WeightEntry): StoredTensor {
  const { name, path, dataStart, begin, end, shape, file } = entry
  const place = { path, byteOffset: dataStart + begin, byteLength: end - begin }
  return createStoredTensor({ name, ...place, dtype: weightDtype(entry, file), shape })
}

async function holdTheSame(a: StoredTensor, b: StoredTensor): Promise<boolean> {
  const others = b.readPieces()
  try {
    for await (const piece of a.readPieces()) {
      const { value: other } = await others.next()
      if (other === undefined || Buffer.compare(piece, other) !== 0) return false
    }
    return true
  } finally {
    await others.return(undefined)
  }
}
