import { utf8 } from '#base'
import { bytesOfVisible } from './byte-alphabet.ts'
import { componentsOf, type TokenizerFile } from './tokenizer-file.ts'

/** SentencePiece's visible stand-in for a space. */
export const METASPACE = '\u2581'

const BYTE_TOKEN = /^<0x([0-9A-Fa-f]{2})>$/

/** The bytes that each id stands for; undefined for special and unknown tokens. */
export function tokenSurfaces(file: TokenizerFile): (Uint8Array | undefined)[] {
  const surfaceOf = surfaceRule(file)
  const surfaces: (Uint8Array | undefined)[] = []
  for (const [token, id] of vocabularyOf(file)) surfaces[id] = surfaceOf(token)
  for (const { id, content, special } of file.added_tokens) {
    surfaces[id] = special ? undefined : utf8(content)
  }
  const unknown = unknownId(file)
  if (unknown !== undefined) surfaces[unknown] = undefined
  return surfaces
}

/** Token strings and ids of the model, without added tokens. */
export function vocabularyOf({ model }: TokenizerFile): readonly (readonly [string, number])[] {
  return model.type === 'Unigram'
    ? model.vocab.map(([piece], id) => [piece, id] as const)
    : Object.entries(model.vocab)
}

export function unknownId({ model, added_tokens }: TokenizerFile): number | undefined {
  if (model.type === 'Unigram') return model.unk_id ?? undefined
  if (typeof model.unk_token !== 'string') return undefined
  const added = added_tokens.find(({ content }) => content === model.unk_token)
  return added?.id ?? model.vocab[model.unk_token]
}

function surfaceRule(file: TokenizerFile): (token: string) => Uint8Array | undefined {
  const { model } = file
  const decoders = componentsOf(file.decoder)
  const components = [...decoders, ...componentsOf(file.pre_tokenizer)]
  const types = new Set(components.map(({ type }) => type))
  if (types.has('ByteLevel')) return bytesOfVisible
  if (model.type === 'WordPiece') {
    const prefix = model.continuing_subword_prefix
    return (token) => utf8(token.startsWith(prefix) ? token.slice(prefix.length) : token)
  }
  const hasBytes = model.byte_fallback === true || types.has('ByteFallback')
  return (token) => {
    const byte = hasBytes ? BYTE_TOKEN.exec(token)?.[1] : undefined
    if (byte !== undefined) return Uint8Array.of(Number.parseInt(byte, 16))
    return utf8(token.replaceAll(METASPACE, ' '))
  }
}
