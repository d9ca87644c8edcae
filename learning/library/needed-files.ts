import { CotuneError, EXIT } from '#base'
import {
  CONFIG_FILE,
  INDEX_FILE,
  parseShardIndex,
  TOKENIZER_FILE,
  WEIGHTS_FILE,
} from '#learning/models'

/** What is read beside the weights, where it is there. */
const SMALL_FILES = [
  CONFIG_FILE,
  'generation_config.json',
  TOKENIZER_FILE,
  'tokenizer_config.json',
  'special_tokens_map.json',
]

/**
 * Which of a checkpoint's files Cotune reads: configuration, tokenizer, and one safetensors file or the shards that the
 * index names. Never pickles, GGUF, ONNX or a second copy of the weights.
 *
 * @param available the files beside each other in a folder or repository
 * @param readIndex gives the bytes of `model.safetensors.index.json`; called only where it is needed
 * @returns small files first, `config.json` foremost, so that a model that is not supported costs no download
 * @throws CotuneError MODEL_FILES_MISSING, MODEL_INDEX_INVALID, MODEL_INDEX_OUTSIDE
 */
export async function neededFiles(
  available: ReadonlySet<string>,
  readIndex: () => Promise<Uint8Array>,
): Promise<readonly string[]> {
  if (!available.has(CONFIG_FILE)) throw filesMissing([CONFIG_FILE], available)
  const small = SMALL_FILES.filter((name) => available.has(name))
  if (available.has(WEIGHTS_FILE)) return [...small, WEIGHTS_FILE]
  if (!available.has(INDEX_FILE)) throw filesMissing([WEIGHTS_FILE], available)
  const { shards } = parseShardIndex(await readIndex())
  const foreign = shards.find((name) => !/^[^\p{Cc}]+\.safetensors$/u.test(name))
  if (foreign !== undefined) throw indexForeign(foreign)
  const missing = shards.filter((name) => !available.has(name))
  if (missing.length > 0) throw filesMissing(missing, available)
  return [...small, INDEX_FILE, ...shards]
}

/** One of our own files could go by that name. */
function indexForeign(name: string): CotuneError {
  return new CotuneError(
    'MODEL_INDEX_INVALID',
    `${INDEX_FILE} names ${name}, which is no safetensors file`,
    {
      hint: 'Get the checkpoint from a source you trust.',
      data: { name },
      exit: EXIT.data,
    },
  )
}

function filesMissing(missing: readonly string[], available: ReadonlySet<string>): CotuneError {
  const pickled = [...available].some((name) => name.endsWith('.bin') || name.endsWith('.pth'))
  const gguf = [...available].some((name) => name.endsWith('.gguf'))
  return new CotuneError('MODEL_FILES_MISSING', `there is no ${missing.join(', ')}`, {
    hint: gguf
      ? 'GGUF is for inference only: take the original checkpoint, with config.json and model.safetensors'
      : pickled
        ? 'pickles (.bin) can run code and are not read: take a revision with model.safetensors, or convert it'
        : 'a model is config.json, model.safetensors or its shards, and tokenizer.json',
    data: { missing },
    exit: EXIT.data,
  })
}
