/** The options of config.json that the twin reads, believed as they are. */
export type PlainConfig = { readonly model_type: string } & Readonly<
  Record<
    | 'hidden_size'
    | 'intermediate_size'
    | 'num_hidden_layers'
    | 'num_attention_heads'
    | 'n_embd'
    | 'n_head'
    | 'n_layer'
    | 'query_pre_attn_scalar'
    | 'max_position_embeddings',
    number
  >
> &
  Readonly<
    Partial<
      Record<
        | 'num_key_value_heads'
        | 'original_max_position_embeddings'
        | 'head_dim'
        | 'n_embed'
        | 'word_embed_proj_dim'
        | 'rms_norm_eps'
        | 'layer_norm_eps'
        | 'layer_norm_epsilon'
        | 'rope_theta'
        | 'partial_rotary_factor'
        | 'rotary_pct'
        | 'sliding_window'
        | 'max_window_layers'
        | 'no_rope_layer_interval'
        | 'attn_logit_softcapping'
        | 'final_logit_softcapping',
        number | null
      > &
        Record<'hidden_act' | 'hidden_activation' | 'activation_function', string> &
        Record<
          | 'tie_word_embeddings'
          | 'use_sliding_window'
          | 'use_parallel_residual'
          | 'qk_layernorm'
          | 'scale_attn_weights'
          | 'scale_attn_by_inverse_layer_idx'
          | '_remove_final_layer_norm'
          | 'do_layer_norm_before'
          | 'apply_residual_connection_post_layernorm',
          boolean
        >
    >
  > & {
    readonly rotary_emb_base?: number
    readonly layer_types?: readonly string[]
    readonly no_rope_layers?: readonly number[]
    readonly rope_parameters?: PlainRope
    readonly rope_scaling?: PlainRope | null
  }

/** How positions are stretched; the numbers of its type are there. */
export interface PlainRope {
  readonly rope_type?: string
  readonly type?: string
  readonly rope_theta?: number
  readonly partial_rotary_factor?: number
  readonly factor?: number
  readonly attention_factor?: number
  readonly low_freq_factor: number
  readonly high_freq_factor: number
  readonly original_max_position_embeddings: number
  readonly beta_fast?: number
  readonly beta_slow?: number
  readonly short_factor: readonly number[]
}
