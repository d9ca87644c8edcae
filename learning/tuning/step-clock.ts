import type { OnProgress, TuningProgress } from './types.ts'

/** Reports each step of a loop, with the tokens per second since it began. */
export function startStepClock(
  about: Pick<TuningProgress, 'phase' | 'model' | 'steps'>,
  onProgress: OnProgress | undefined,
): (step: number, loss: number, tokens: number) => void {
  const started = Date.now()
  let sum = 0
  return (step, loss, tokens) => {
    sum += tokens
    const tokensPerSecond = (1000 * sum) / Math.max(1, Date.now() - started)
    onProgress?.({ ...about, step, loss, tokensPerSecond })
  }
}
