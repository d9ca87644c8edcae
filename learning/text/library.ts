import * as tokenizers from '@huggingface/tokenizers'

// The package's declarations lack file endings, so that TypeScript's Node resolution finds no types behind them.

export interface LibraryTokenizer {
  model: LibraryModel | null
  tokenize(text: string): string[]
  decode(ids: readonly number[]): string
}

/** Spells pre-tokenized words as tokens. */
export interface LibraryModel {
  vocab: string[]
  tokens_to_ids: Map<string, number>
  unk_token_id?: number
  unk_token?: string
  /** Whether neighbouring unknown tokens become one. */
  fuse_unk: boolean
  encode(words: readonly string[]): string[]
}

interface Library {
  readonly Tokenizer: new (file: object, config: object) => LibraryTokenizer
  readonly Model: abstract new (config: object) => LibraryModel
}

export const { Tokenizer: LibraryTokenizer, Model: LibraryModel } = tokenizers as unknown as Library
