import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { writeFileAtomic } from '#base'
import { sizeOf } from '#engine'
import { openCheckpoint } from '#learning/models'
import { encodeGguf, GGML_TYPES, type GgufType, ggufBytes } from './gguf-blocks.ts'
import { type GgufTensor, ggufHeader, padding } from './gguf-header.ts'
import { ggufMetadata, ggufName, pairedRows, requireGgufFamily, ropeFactors } from './gguf-model.ts'

/**
 * A checkpoint as a GGUF file beside it, for llama.cpp: the same model, every matrix in `type`. The tokenizer in it is made up: who
 * reads it speaks in token ids. Written once.
 *
 * @returns the file
 * @throws CotuneError BENCH_GGUF_FAMILY
 */
export async function writeGguf(folder: string, type: GgufType): Promise<string> {
  const path = join(folder, `model-${type}.gguf`)
  if (existsSync(path)) return path
  const { model, tensors } = await openCheckpoint(folder)
  const family = requireGgufFamily(model)
  const factors = ropeFactors(model)
  const listed = [
    ...Array.from(model.parameters, ([name, shape]) =>
      describeTensor(ggufName(name, family), shape, type),
    ),
    ...Array.from(factors, ([name, { length }]) => describeTensor(name, [length], type)),
  ]
  async function* values(): AsyncGenerator<Float32Array> {
    const { headSize } = model.config
    for (const [name, tensor] of tensors) {
      const { data, shape } = await tensor.read()
      const isPaired = family.pairsRows && /\.self_attn\.[qk]_proj\./.test(name)
      const floats = data as Float32Array
      yield isPaired ? pairedRows(floats, headSize, shape[1] ?? 1) : floats
    }
    yield* factors.values()
  }
  await writeFileAtomic(
    path,
    (async function* () {
      yield ggufHeader(ggufMetadata(model), listed)
      let index = 0
      for await (const data of values()) {
        const { shape, bytes } = listed[index++]!
        yield encodeGguf(kindOf(shape, type), data)
        yield padding(bytes)
      }
    })(),
  )
  return path
}

function describeTensor(name: string, shape: readonly number[], type: GgufType): GgufTensor {
  const kind = kindOf(shape, type)
  return { name, shape, type: GGML_TYPES[kind], bytes: ggufBytes(kind, sizeOf(shape)) }
}

/** Norms and biases stay as they are. */
function kindOf(shape: readonly number[], type: GgufType): GgufType {
  return shape.length === 1 ? 'f32' : type
}
