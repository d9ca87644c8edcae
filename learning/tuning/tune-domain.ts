import { createRandom } from '#base'
import { type Example, packExamples } from '#learning/data'
import type { BatchShape } from '#learning/train'
import { encodeExamples } from './encode-examples.ts'
import type { Learner } from './learner.ts'
import { learningRateAt } from './learning-rate-at.ts'
import { startStepClock } from './step-clock.ts'
import type { OnProgress } from './types.ts'

export interface TuneDomainInit {
  /** The proxy model, of which only the domain adapter is trained. */
  readonly proxy: Learner
  readonly examples: readonly Example[]
  readonly epochs: number
  readonly learningRate: number
  /** From 1. */
  readonly round: number
  readonly rounds: number
  readonly seed: string | number
  readonly shape: BatchShape
  readonly onProgress?: OnProgress
  readonly signal?: AbortSignal
}

/**
 * Domain-specific tuning: cross-entropy of the answers, into the private adapter alone.
 *
 * @returns the mean loss, in nats a token
 */
export async function tuneDomain(init: TuneDomainInit): Promise<number> {
  const { proxy, epochs, learningRate, round, rounds, shape, signal } = init
  const random = createRandom(`${init.seed}/dst/${round}`)
  const encoded = encodeExamples(proxy.model.tokenizer, init.examples, shape.length)
  const batches = Array.from({ length: epochs }, () =>
    packExamples(random.shuffle(encoded), shape),
  ).flat()
  const about = { phase: 'dst', model: 'dpm', steps: batches.length } as const
  const clock = startStepClock(about, init.onProgress)
  let loss = 0
  for (const [index, batch] of batches.entries()) {
    signal?.throwIfAborted()
    const rate = learningRateAt(round, rounds, index, batches.length)
    const { crossEntropy } = await proxy.learn(batch, learningRate * rate, {
      isLast: index === batches.length - 1,
    })
    loss += crossEntropy / batches.length
    clock(index + 1, crossEntropy, batch.tokenCount)
  }
  return loss
}
