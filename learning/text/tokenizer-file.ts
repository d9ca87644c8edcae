import { CotuneError, EXIT, isObject, shownJson } from '#base'

export interface AddedTokenFile {
  readonly id: number
  readonly content: string
  readonly special: boolean
  readonly normalized?: boolean
  readonly single_word?: boolean
  readonly lstrip?: boolean
  readonly rstrip?: boolean
}

/** A step of the pipeline: a normalizer, pre-tokenizer, decoder or a sequence of them. */
export interface ComponentFile {
  readonly type: string
  readonly [option: string]: unknown
}

interface BpeModelFile {
  readonly type: 'BPE'
  readonly vocab: Readonly<Record<string, number>>
  readonly merges: readonly (string | readonly [string, string])[]
  readonly unk_token?: string | null
  readonly byte_fallback?: boolean
  readonly [option: string]: unknown
}

export interface UnigramModelFile {
  readonly type: 'Unigram'
  readonly vocab: readonly (readonly [piece: string, score: number])[]
  readonly unk_id: number | null
  readonly byte_fallback?: boolean
}

interface WordPieceModelFile {
  readonly type: 'WordPiece'
  readonly vocab: Readonly<Record<string, number>>
  readonly unk_token: string
  readonly continuing_subword_prefix: string
  readonly [option: string]: unknown
}

/** Hugging Face `tokenizer.json`. */
export interface TokenizerFile {
  readonly version: string
  readonly added_tokens: readonly AddedTokenFile[]
  readonly normalizer: ComponentFile | null
  readonly pre_tokenizer: ComponentFile | null
  readonly post_processor: ComponentFile | null
  readonly decoder: ComponentFile | null
  readonly model: BpeModelFile | UnigramModelFile | WordPieceModelFile
}

type Json = Readonly<Record<string, unknown>>

/**
 * Checks the parts of a `tokenizer.json` that Cotune relies on.
 *
 * @param name what to call the file in errors
 * @throws TOKENIZER_MALFORMED, TOKENIZER_UNSUPPORTED
 */
export function parseTokenizerFile(value: unknown, name: string): TokenizerFile {
  if (!isObject(value) || !isObject(value.model)) throw malformed(name, 'has no "model" object')
  const model = { ...value.model, type: modelType(value.model, name) }
  checkVocabulary(model, name)
  const added = value.added_tokens ?? []
  if (!Array.isArray(added)) throw malformed(name, '"added_tokens" is not a list')
  return {
    version: '1.0',
    added_tokens: added.map((token: unknown) => parseAddedToken(token, name)),
    normalizer: parseComponent(value, 'normalizer', name),
    pre_tokenizer: parseComponent(value, 'pre_tokenizer', name),
    post_processor: parseComponent(value, 'post_processor', name),
    decoder: parseComponent(value, 'decoder', name),
    model: model as unknown as TokenizerFile['model'],
  }
}

/** Old files leave the type of the model to be guessed from its fields. */
function modelType(model: Json, name: string): TokenizerFile['model']['type'] {
  const { type, vocab } = model
  if (type === 'BPE' || type === 'Unigram' || type === 'WordPiece') return type
  if (type === undefined && Array.isArray(vocab)) return 'Unigram'
  if (type === undefined && Array.isArray(model.merges)) return 'BPE'
  const problem = type === undefined ? 'has no type' : `type ${shownJson(type)} is not supported`
  throw new CotuneError('TOKENIZER_UNSUPPORTED', `${name}: model ${problem}`, {
    hint: 'Use a tokenizer whose model is BPE, Unigram or WordPiece.',
    data: { file: name, type: shownJson(type) },
    exit: EXIT.data,
  })
}

function checkVocabulary(model: Json, name: string): void {
  const { vocab, merges, type } = model
  if (type === 'Unigram') {
    const isPiece = (entry: unknown) =>
      Array.isArray(entry) && typeof entry[0] === 'string' && typeof entry[1] === 'number'
    if (!Array.isArray(vocab) || vocab.length === 0 || !vocab.every(isPiece)) {
      throw malformed(name, '"model.vocab" is not a list of [piece, score]')
    }
    const unknown = model.unk_id ?? undefined
    if (unknown !== undefined && !(isId(unknown) && unknown < vocab.length)) {
      throw malformed(name, `"model.unk_id" ${shownJson(unknown)} is not in the vocabulary`)
    }
    return
  }
  if (!isObject(vocab)) throw malformed(name, '"model.vocab" is not an object')
  const ids = Object.values(vocab)
  if (ids.length === 0 || !ids.every(isId)) {
    throw malformed(name, '"model.vocab" has an id that is not a whole number')
  }
  if (new Set(ids).size !== ids.length) throw malformed(name, '"model.vocab" gives an id twice')
  if (type === 'BPE' && !Array.isArray(merges))
    throw malformed(name, '"model.merges" is not a list')
}

function parseAddedToken(value: unknown, name: string): AddedTokenFile {
  if (!isObject(value) || typeof value.content !== 'string' || !isId(value.id)) {
    throw malformed(name, 'an entry of "added_tokens" lacks "id" or "content"')
  }
  return { ...value, id: value.id, content: value.content, special: value.special === true }
}

function parseComponent(file: Json, key: string, name: string): ComponentFile | null {
  const value = file[key] ?? null
  return value === null ? null : checkComponent(value, key, name)
}

function checkComponent(value: unknown, key: string, name: string): ComponentFile {
  if (!isObject(value) || typeof value.type !== 'string')
    throw malformed(name, `"${key}" has no "type"`)
  const { pattern, type } = value
  // The library prints a pattern that it does not know, as it is, on the terminal.
  if (pattern !== undefined && !isPattern(pattern))
    throw malformed(name, `"${key}" has a pattern that is neither a text nor a regular expression`)
  for (const part of nestedIn(value)) checkComponent(part, key, name)
  return { ...value, type }
}

function isPattern(pattern: unknown): boolean {
  return isObject(pattern) && typeof (pattern.Regex ?? pattern.String) === 'string'
}

function nestedIn({ normalizers, pretokenizers, decoders, processors }: Json): readonly unknown[] {
  return [normalizers, pretokenizers, decoders, processors].find(Array.isArray) ?? []
}

/** The component and all nested in it (in a `Sequence`), outermost first. */
export function componentsOf(component: ComponentFile | null): readonly ComponentFile[] {
  if (component === null) return []
  return [component, ...nestedIn(component).flatMap((part) => componentsOf(part as ComponentFile))]
}

export function malformed(name: string, what: string, cause?: unknown): CotuneError {
  return new CotuneError('TOKENIZER_MALFORMED', `${name}: ${what}`, {
    hint: 'Fetch the file again, or save it again with the tokenizers library.',
    data: { file: name },
    exit: EXIT.data,
    cause,
  })
}

function isId(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) < 2 ** 31
}
