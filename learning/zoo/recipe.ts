/** What `npm run zoo` makes. Sizes are chosen so that all of it trains within two hours on two cores. */
export interface ModelRecipe {
  readonly name: 'llm' | 'dpm' | 'slm-gpt2' | 'slm-llama' | 'slm-qwen2'
  /** A Hugging Face configuration, without the vocabulary's size and the special tokens. */
  readonly config: Readonly<Record<string, unknown>>
  readonly tokenizer: TokenizerRecipe
  readonly pretraining: Pretraining
  readonly refining?: Refining
}

export type StageName = 'pretraining' | 'refining'

/** From scratch, on all rows and some prose. */
export interface Pretraining {
  /** Passes over the instruction rows. */
  readonly epochs: number
  /** Tokens of public-domain prose before and between the rows. */
  readonly proseTokens: number
  readonly learningRate: number
}

/** Afterwards, on the answers alone, every domain with the same say. */
export interface Refining {
  readonly epochs: number
  readonly rowsPerDomain: number
  /** A small domain comes this often in an epoch, at most. */
  readonly maxRepeats: number
  readonly learningRate: number
}

export interface TokenizerRecipe {
  readonly name: 'cloud' | 'slm-gpt2' | 'slm-llama' | 'slm-qwen2'
  readonly kind: 'bpe' | 'unigram'
  readonly vocabularySize: number
}

export const SEED = 20_261_121

/** Tokens a row of a batch; also what examples are cut to. */
export const LENGTH = 128

/** Domains that are the devices' own: no row of them is in the training of any small model. */
export const DEVICE_DOMAINS: ReadonlySet<string> = new Set([
  'banking',
  'dining',
  'shell',
  'everyday',
  'assistant',
  'math',
])

const CLOUD_TOKENIZER: TokenizerRecipe = { name: 'cloud', kind: 'bpe', vocabularySize: 2_048 }

const LLAMA = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  hidden_act: 'silu',
  rms_norm_eps: 1e-5,
  rope_theta: 10_000,
  max_position_embeddings: 256,
  tie_word_embeddings: true,
}

export const LLM: ModelRecipe = {
  name: 'llm',
  config: {
    ...LLAMA,
    hidden_size: 256,
    intermediate_size: 640,
    num_hidden_layers: 8,
    num_attention_heads: 8,
    num_key_value_heads: 4,
  },
  tokenizer: CLOUD_TOKENIZER,
  pretraining: { epochs: 3, proseTokens: 200_000, learningRate: 1.5e-3 },
  refining: { epochs: 2, rowsPerDomain: 1_200, maxRepeats: 2, learningRate: 6e-4 },
}

/** Distilled from {@link LLM}: the same tokenizer, a quarter of its size. */
export const DPM: ModelRecipe = {
  name: 'dpm',
  config: {
    ...LLAMA,
    hidden_size: 160,
    intermediate_size: 448,
    num_hidden_layers: 4,
    num_attention_heads: 5,
    num_key_value_heads: 5,
  },
  tokenizer: CLOUD_TOKENIZER,
  pretraining: { epochs: 2, proseTokens: 100_000, learningRate: 2e-3 },
  refining: { epochs: 2, rowsPerDomain: 1_200, maxRepeats: 2, learningRate: 1e-3 },
}

const SLMS: readonly ModelRecipe[] = [
  {
    name: 'slm-gpt2',
    config: {
      architectures: ['GPT2LMHeadModel'],
      model_type: 'gpt2',
      activation_function: 'gelu_new',
      layer_norm_epsilon: 1e-5,
      n_positions: 256,
      n_embd: 128,
      n_layer: 5,
      n_head: 4,
      n_inner: 512,
      tie_word_embeddings: true,
    },
    tokenizer: { name: 'slm-gpt2', kind: 'bpe', vocabularySize: 1_536 },
    pretraining: { epochs: 2, proseTokens: 300_000, learningRate: 2e-3 },
  },
  {
    name: 'slm-llama',
    config: {
      ...LLAMA,
      hidden_size: 144,
      intermediate_size: 384,
      num_hidden_layers: 5,
      num_attention_heads: 4,
      num_key_value_heads: 4,
    },
    tokenizer: { name: 'slm-llama', kind: 'unigram', vocabularySize: 1_400 },
    pretraining: { epochs: 2, proseTokens: 300_000, learningRate: 2e-3 },
  },
  {
    name: 'slm-qwen2',
    config: {
      architectures: ['Qwen2ForCausalLM'],
      model_type: 'qwen2',
      hidden_act: 'silu',
      rms_norm_eps: 1e-6,
      rope_theta: 10_000,
      max_position_embeddings: 256,
      tie_word_embeddings: true,
      use_sliding_window: false,
      hidden_size: 128,
      intermediate_size: 352,
      num_hidden_layers: 6,
      num_attention_heads: 4,
      num_key_value_heads: 2,
    },
    tokenizer: { name: 'slm-qwen2', kind: 'bpe', vocabularySize: 1_024 },
    pretraining: { epochs: 2, proseTokens: 300_000, learningRate: 2e-3 },
  },
]

/** The proxy model learns from the large one as it is by then. */
export const BUILD_ORDER: readonly (readonly [ModelRecipe, StageName])[] = [
  ...SLMS.map((recipe) => [recipe, 'pretraining'] as const),
  [LLM, 'pretraining'],
  [DPM, 'pretraining'],
  [LLM, 'refining'],
  [DPM, 'refining'],
]
