/** Token ids and where each of them ends in the text. */
export interface TokenizedText {
  readonly ids: Int32Array
  /** The end of each token in the text, in UTF-8 bytes from its start. Never decreases. */
  readonly ends: Int32Array
}

/** Text to token ids and back. No token is added around the text. */
export interface Tokenizer {
  readonly kind: 'BPE' | 'Unigram' | 'WordPiece'
  /** One more than the largest id. The width of a model's head may be larger, never smaller. */
  readonly vocabularySize: number
  /** SHA-256 of `tokenizer.json` in hexadecimal. */
  readonly digest: string
  /** Ends every answer. */
  readonly eosId: number
  /** Fills up batches; the end-of-sequence id where the tokenizer has none of its own. */
  readonly padId: number
  encode(text: string): TokenizedText
  /** The text of `ids`; special tokens are left out. */
  decode(ids: ArrayLike<number>): string
  /** What the token stands for, in UTF-8 (a part of a code point, perhaps); undefined for special tokens. */
  tokenBytes(id: number): Uint8Array | undefined
}
