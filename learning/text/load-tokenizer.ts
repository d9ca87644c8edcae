import { join } from 'node:path'
import {
  CotuneError,
  EXIT,
  isCotuneError,
  isObject,
  readJson,
  readRegularFile,
  sha256Hex,
  writeFileAtomic,
} from '#base'
import { createTokenizer, type TokenizerOptions } from './create-tokenizer.ts'
import type { Tokenizer } from './tokenizer.ts'
import { malformed, parseTokenizerFile, type TokenizerFile } from './tokenizer-file.ts'

/** The largest in use, of multilingual models, have 35 MB: some 130 bytes a token. */
const MAX_BYTES = 100_000_000
const MAX_BYTES_A_TOKEN = 1_000
/** For what is there beside the tokens. */
const SPARE_BYTES = 4_000_000

/**
 * Reads `tokenizer.json` of a Hugging Face style folder, and beside it, if there, `tokenizer_config.json` and
 * `special_tokens_map.json` (which tokens are special) and `config.json` (how many ids the model has).
 *
 * @throws TOKENIZER_NOT_FOUND, TOKENIZER_MALFORMED, TOKENIZER_UNSUPPORTED, TOKENIZER_NO_EOS, TOKENIZER_ID_RANGE
 */
export async function loadTokenizer(
  folder: string,
  options: Pick<TokenizerOptions, 'parseSpecialTokens'> = {},
): Promise<Tokenizer> {
  const name = join(folder, 'tokenizer.json')
  const { vocab_size } = await readSettings(join(folder, 'config.json'))
  const bytes = await readOptional(name, mostBytes(vocab_size))
  if (bytes === undefined) {
    throw new CotuneError('TOKENIZER_NOT_FOUND', `${name} does not exist`, {
      hint: 'Put the tokenizer.json of the model into its folder.',
      data: { folder },
      exit: EXIT.data,
    })
  }
  const file = parseTokenizerFile(parseJson(bytes, name), name)
  const config = {
    ...(await readSettings(join(folder, 'special_tokens_map.json'))),
    ...(await readSettings(join(folder, 'tokenizer_config.json'))),
  }
  checkIds(file, vocab_size, name)
  return createTokenizer(file, { ...options, config, name, digest: sha256Hex(bytes) })
}

/** Writes `tokenizer.json` and `tokenizer_config.json`, so that the tokenizer loads with the same digest. */
export async function saveTokenizer(
  folder: string,
  file: TokenizerFile,
  special: { readonly eosToken: string; readonly padToken?: string },
): Promise<void> {
  const config = {
    tokenizer_class: 'PreTrainedTokenizerFast',
    clean_up_tokenization_spaces: false,
    eos_token: special.eosToken,
    pad_token: special.padToken ?? special.eosToken,
  }
  await writeFileAtomic(join(folder, 'tokenizer.json'), JSON.stringify(file))
  await writeFileAtomic(
    join(folder, 'tokenizer_config.json'),
    `${JSON.stringify(config, undefined, 2)}\n`,
  )
}

/** A tokenizer that has no use for its model must not cost memory. */
function mostBytes(vocabularySize: unknown): number {
  if (typeof vocabularySize !== 'number') return MAX_BYTES
  return Math.min(MAX_BYTES, SPARE_BYTES + vocabularySize * MAX_BYTES_A_TOKEN)
}

function checkIds(file: TokenizerFile, limit: unknown, name: string): void {
  if (typeof limit !== 'number' || !Number.isInteger(limit)) return
  const { model, added_tokens } = file
  const ids = model.type === 'Unigram' ? [model.vocab.length - 1] : Object.values(model.vocab)
  let largest = -1
  for (const id of ids) largest = Math.max(largest, id)
  for (const { id } of added_tokens) largest = Math.max(largest, id)
  if (added_tokens.length > limit) throw malformed(name, 'adds more tokens than the model has')
  if (largest < limit) return
  throw new CotuneError('TOKENIZER_ID_RANGE', `${name} has id ${largest}, vocab_size is ${limit}`, {
    hint: 'The tokenizer belongs to another model: fetch both from the same place.',
    data: { file: name, id: largest, vocabularySize: limit },
    exit: EXIT.data,
  })
}

async function readSettings(path: string): Promise<Readonly<Record<string, unknown>>> {
  const bytes = await readOptional(path)
  if (bytes === undefined) return {}
  const value = parseJson(bytes, path)
  if (!isObject(value)) throw malformed(path, 'is not an object')
  // A null in one file must not hide what another says.
  return Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== null))
}

async function readOptional(path: string, maxBytes = SPARE_BYTES): Promise<Uint8Array | undefined> {
  try {
    return await readRegularFile(path, maxBytes)
  } catch (cause) {
    if (!isCotuneError(cause, 'FILE_UNREADABLE')) throw cause
    if (cause.data.missing === true) return undefined
    throw new CotuneError('TOKENIZER_NOT_FOUND', cause.message, {
      hint: 'Check the permissions of the file.',
      data: { path: cause.data.path },
      exit: EXIT.data,
      cause,
    })
  }
}

function parseJson(bytes: Uint8Array, name: string): unknown {
  const reading = readJson(bytes)
  if ('value' in reading) return reading.value
  throw malformed(name, reading.problem, reading.cause)
}
