import type { Tokenizer } from '#learning/text'

/** Text of numbers, `"5 17 3"`: the ids themselves. */
export function numberTokenizer(vocabularySize: number, eosId = vocabularySize - 1): Tokenizer {
  return {
    kind: 'WordPiece',
    vocabularySize,
    digest: `numbers-${vocabularySize}`,
    eosId,
    padId: eosId,
    encode: (text) => {
      const ids = Int32Array.from(text.split(' ').filter(Boolean), Number)
      return { ids, ends: ids.map((_, i) => i) }
    },
    decode: (ids) => Array.from(ids, (id) => `${id} `).join(''),
    tokenBytes: (id) => Buffer.from(`${id} `),
  }
}
