import { CotuneError, EXIT, isObject } from '#base'
import { vocabularyOf } from './token-surface.ts'
import type { TokenizerFile } from './tokenizer-file.ts'

/** Tried in this order where no configuration names the token. */
const END_NAMES = ['</s>', '<|endoftext|>', '<|end_of_text|>', '<|im_end|>', '<eos>', '[SEP]']
const PAD_NAMES = ['<pad>', '<|pad|>', '<|padding|>', '[PAD]']

/**
 * The ids that end an answer and fill a batch: as the configuration names them, else by their usual names.
 *
 * @throws TOKENIZER_NO_EOS
 */
export function specialIds(
  file: TokenizerFile,
  config: Readonly<Record<string, unknown>>,
  name: string,
): { readonly eosId: number; readonly padId: number } {
  const idOf = new Map(vocabularyOf(file))
  for (const { id, content } of file.added_tokens) idOf.set(content, id)
  const special = new Set(file.added_tokens.filter((t) => t.special).map(({ content }) => content))
  const find = (configured: unknown, names: readonly string[]) => {
    const content = isObject(configured) ? configured.content : configured
    const named = typeof content === 'string' ? idOf.get(content) : undefined
    return named ?? idOf.get(names.find((usual) => special.has(usual)) ?? '')
  }
  const eosId = find(config.eos_token, END_NAMES)
  if (eosId === undefined) {
    throw new CotuneError('TOKENIZER_NO_EOS', `${name}: no token ends a sequence`, {
      hint: 'Name it as "eos_token" in tokenizer_config.json beside the file.',
      data: { file: name },
      exit: EXIT.data,
    })
  }
  return { eosId, padId: find(config.pad_token, PAD_NAMES) ?? eosId }
}
