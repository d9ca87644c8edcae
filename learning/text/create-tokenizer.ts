import { CotuneError, EXIT, isCotuneError, sha256Hex, utf8 } from '#base'
import { byteEnds } from './byte-ends.ts'
import { LibraryTokenizer } from './library.ts'
import { specialIds } from './special-ids.ts'
import { tokenSurfaces, unknownId, vocabularyOf } from './token-surface.ts'
import type { Tokenizer } from './tokenizer.ts'
import type { TokenizerFile } from './tokenizer-file.ts'
import { CachedUnigramModel } from './unigram-model.ts'

export interface TokenizerOptions {
  /** `tokenizer_config.json`, `special_tokens_map.json`, `config.json` merged: names of special tokens. */
  readonly config?: Readonly<Record<string, unknown>>
  /** SHA-256 of the file; of its compact JSON text unless told. */
  readonly digest?: string
  /**
   * Whether `</s>` and the like in a text become special tokens. Off unless told: text is data and must not be able to
   * end a sequence.
   */
  readonly parseSpecialTokens?: boolean
  /** What to call the tokenizer in errors. */
  readonly name?: string
}

/**
 * A tokenizer from the content of a `tokenizer.json`, over @huggingface/tokenizers.
 *
 * @throws TOKENIZER_UNSUPPORTED, TOKENIZER_NO_EOS
 */
export function createTokenizer(file: TokenizerFile, options: TokenizerOptions = {}): Tokenizer {
  const name = options.name ?? 'tokenizer.json'
  try {
    const tokenizer = build(file, options, name)
    // Each component has its own rules for its options; only the library knows them all, and of some not before use.
    tokenizer.decode(tokenizer.encode('A 1').ids)
    return tokenizer
  } catch (cause) {
    if (isCotuneError(cause)) throw cause
    throw new CotuneError('TOKENIZER_UNSUPPORTED', `${name}: a part of it is not supported`, {
      hint: 'Use a tokenizer that @huggingface/tokenizers can load.',
      data: { file: name },
      exit: EXIT.data,
      cause,
    })
  }
}

function build(file: TokenizerFile, options: TokenizerOptions, name: string): Tokenizer {
  const library = createLibrary(file, options)
  const surfaces = tokenSurfaces(file)
  const unknown = unknownId(file)
  const { eosId, padId } = specialIds(file, options.config ?? {}, name)
  const idOf = new Map(vocabularyOf(file))
  for (const { id, content } of file.added_tokens) idOf.set(content, id)

  return {
    kind: file.model.type,
    vocabularySize: surfaces.length,
    digest: options.digest ?? sha256Hex(JSON.stringify(file)),
    eosId,
    padId,
    encode: (text) => {
      const tokens = library.tokenize(text)
      const ids = new Int32Array(tokens.length)
      let count = 0
      for (const token of tokens) {
        const id = idOf.get(token) ?? unknown
        if (id !== undefined) ids[count++] = id
      }
      const kept = ids.subarray(0, count)
      const covered = Array.from(kept, (id) => (id === unknown ? 'unknown' : surfaces[id]))
      return { ids: kept, ends: byteEnds(covered, utf8(text)) }
    },
    decode: (ids) => {
      const plain = Array.from(ids).filter((id) => surfaces[id] !== undefined)
      return plain.length === 0 ? '' : library.decode(plain)
    },
    tokenBytes: (id) => surfaces[id],
  }
}

function createLibrary(file: TokenizerFile, options: TokenizerOptions): LibraryTokenizer {
  const parse = options.parseSpecialTokens ?? false
  const added = parse ? file.added_tokens : file.added_tokens.filter(({ special }) => !special)
  // The library's clean-up eats spaces before apostrophes.
  const config = { ...options.config, clean_up_tokenization_spaces: false }
  const library = new LibraryTokenizer(
    { ...file, post_processor: null, added_tokens: added },
    config,
  )
  if (file.model.type === 'Unigram') {
    const special = file.added_tokens.filter((token) => token.special)
    const reserved = new Set(special.map(({ content }) => content))
    library.model = new CachedUnigramModel(file.model, reserved)
  }
  return library
}
