import { renderPrompt } from '#learning/text'
import { createGenerator, type EvaluateInit } from './evaluate-model.ts'

/** One greedy answer, streamed if asked for. */
export async function answerPrompt(
  init: Pick<EvaluateInit, 'model' | 'tuned' | 'executor' | 'length' | 'signal'> & {
    readonly prompt: { readonly instruction: string; readonly input: string }
    readonly onToken?: (text: string) => void
  },
): Promise<string> {
  const generator = await createGenerator({ ...init, batch: 1 })
  try {
    const { onToken, signal } = init
    const [answer = ''] = await generator.generate([renderPrompt(init.prompt)], {
      ...(onToken ? { onToken } : {}),
      ...(signal ? { signal } : {}),
    })
    return answer
  } finally {
    await generator.close()
  }
}
