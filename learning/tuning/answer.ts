import type { GenerateOptions, Sampling } from '#learning/generate'
import { renderPrompt } from '#learning/text'
import { type CreateGeneratorInit, createGenerator } from './create-generator.ts'

/** How an answer is made and shown. */
export type AnswerOptions = Pick<GenerateOptions, 'stop'> & {
  readonly sampling?: Sampling
  readonly onToken?: (text: string) => void
}

/** One answer, of the most probable tokens unless told otherwise; streamed if asked for. */
export async function answerPrompt(
  init: Omit<CreateGeneratorInit, 'batch'> &
    AnswerOptions & {
      readonly prompt: { readonly instruction: string; readonly input: string }
      readonly signal?: AbortSignal
    },
): Promise<string> {
  const generator = await createGenerator({ ...init, batch: 1 })
  try {
    const { onToken, sampling, stop, signal } = init
    const [answer = ''] = await generator.generate([renderPrompt(init.prompt)], {
      ...(onToken ? { onToken } : {}),
      ...(sampling ? { sampling } : {}),
      ...(stop ? { stop } : {}),
      ...(signal ? { signal } : {}),
    })
    return answer
  } finally {
    await generator.close()
  }
}
