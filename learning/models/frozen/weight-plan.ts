import type { BlockFormat } from '#engine'
import type { CausalModel } from '../causal-model.ts'
import type { StoredTensor } from '../stored-tensor.ts'

/** How the large matrices of a frozen base are held. */
export type BasePrecision = 'float32' | 'int8' | 'int4'

/** What becomes of one parameter. */
export type WeightPlan =
  /** Stays where it is: the runtime maps it. */
  | { readonly form: 'mapped' }
  /** Written as float32. */
  | { readonly form: 'float32' }
  | {
      readonly form: 'blocks'
      readonly format: BlockFormat
      readonly alongRows: boolean
      readonly alongColumns: boolean
    }

/** Larger blocks are faster, smaller ones closer: 64 is where ONNX Runtime's kernels stop gaining much. */
const BLOCK_SIZES = [64, 32, 16] as const

/** A head's rows are read so many at a time: 8 MB of logits of 512 tokens, which stay in a processor's cache. */
const VOCABULARY_CHUNK = 4_096

/**
 * Linear layers, the token embedding and the head are cut into blocks; vectors and position tables stay float32.
 * 8 bits are stored for both directions, so that the gradient runs on integers too. 4 bits are stored for the forward
 * pass only, and the gradient goes through their exact values; a head and embedding keep 8 bits, being looked up, and
 * larger than all else once they are floats. What has a row for each word of the vocabulary is stored in chunks of them.
 */
export function planWeight(
  model: CausalModel,
  tensor: StoredTensor,
  precision: BasePrecision,
): WeightPlan {
  const plain: WeightPlan = { form: tensor.dtype === 'F32' ? 'mapped' : 'float32' }
  if (precision === 'float32' || tensor.shape.length !== 2) return plain
  const [rows, columns] = tensor.shape as [number, number]
  const linear = model.linears.find(({ name }) => `${name}.weight` === tensor.name)
  const { vocabularySize, hiddenSize, embeddingSize = hiddenSize } = model.config
  const isVocabulary = rows === vocabularySize && columns === embeddingSize
  if (linear === undefined && !isVocabulary) return plain

  const rowsFit = (size: number) => columns % size === 0
  const columnsFit = (size: number) => rows % size === 0
  if (precision === 'int8' || linear === undefined) {
    const both = BLOCK_SIZES.find((size) => rowsFit(size) && columnsFit(size))
    const blockSize = both ?? BLOCK_SIZES.find(rowsFit)
    if (blockSize === undefined) return plain
    const chunks = isVocabulary ? { chunkRows: VOCABULARY_CHUNK } : {}
    const format: BlockFormat = { bits: 8, blockSize, ...chunks }
    return { form: 'blocks', format, alongRows: true, alongColumns: both !== undefined }
  }
  const alongRows = linear.layout === 'output-input'
  const blockSize = BLOCK_SIZES.find(alongRows ? rowsFit : columnsFit)
  if (blockSize === undefined) return plain
  return { form: 'blocks', format: { bits: 4, blockSize }, alongRows, alongColumns: !alongRows }
}
