import { secondsSince, serve } from '../serve.ts'

/** Reads a prompt and says each token when it comes, `answer` + 1 of them: the first belongs to reading the prompt. */
export type Decode = (onToken: (id: number) => void) => Promise<void>

export async function serveDecoding(decode: Decode): Promise<void> {
  const once = async () => {
    const tokens: number[] = []
    const start = performance.now()
    let prefillSeconds = Number.NaN
    let seconds = Number.NaN
    await decode((id) => {
      tokens.push(id)
      seconds = secondsSince(start)
      if (tokens.length === 1) prefillSeconds = seconds
    })
    return { seconds, prefillSeconds, tokens }
  }
  await once()
  const { seconds } = await once()
  await serve({ seconds }, { wake: once, work: once })
}
