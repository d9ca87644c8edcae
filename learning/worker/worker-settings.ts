import { constants, setPriority, totalmem } from 'node:os'

const MIB = 1_048_576

/**
 * JavaScript's heap in a learning worker: texts, tokens and tokenizers. Weights are in memory outside of it. A worker that fills it
 * ends by itself, and the peer lives on.
 */
export const RESOURCE_LIMITS = {
  maxOldGenerationSizeMb: Math.round(Math.min(4_096, totalmem() / 2 / MIB)),
}

/**
 * Lets every other thread go first, the peer's own above all: on Linux a thread has a priority of its own, and the threads that ONNX
 * Runtime starts from this one inherit it. Elsewhere it would be the whole process', so nothing is done.
 */
export function yieldToOthers(): void {
  if (process.platform !== 'linux') return
  try {
    setPriority(0, constants.priority.PRIORITY_BELOW_NORMAL)
  } catch {
    // A sandbox may forbid it: then training is as important as the rest.
  }
}
