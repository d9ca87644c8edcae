import { CotuneError, createRandom } from '#base'

/** How the next token is chosen from the logits. The most probable one if nothing is said. */
export interface Sampling {
  /** Logits are divided by it before softmax: below 1 surer, above 1 more varied; 0, the default, takes the most probable. */
  readonly temperature?: number
  /** Only so many of the most probable tokens count. */
  readonly topK?: number
  /** Only the most probable tokens that together reach this probability count (Holtzman et al. 2020). */
  readonly topP?: number
  /** Logits of tokens in prompt and answer are divided by it where positive, else multiplied (Keskar et al. 2019); default 1. */
  readonly repetitionPenalty?: number
  /** The same seed gives the same answer; random if left out. */
  readonly seed?: string | number
}

/** Weights relative to the largest, below which tokens are first left out. */
const BOUNDS = [1e-3, 1e-6, 1e-9, 1e-12]

/** Tokens and their probabilities, the most probable first where not all tokens count. */
export interface Distribution {
  readonly ids: ArrayLike<number>
  readonly probabilities: Float64Array
}

/** @throws CotuneError GENERATE_SAMPLING_INVALID */
export function checkSampling({
  temperature = 0,
  topK = 1,
  topP = 1,
  repetitionPenalty = 1,
}: Sampling): void {
  const wrong =
    !(temperature >= 0 && temperature < Number.POSITIVE_INFINITY) ||
    !(Number.isInteger(topK) && topK >= 1) ||
    !(topP > 0 && topP <= 1) ||
    !(repetitionPenalty > 0 && repetitionPenalty < Number.POSITIVE_INFINITY)
  if (wrong)
    throw new CotuneError(
      'GENERATE_SAMPLING_INVALID',
      `cannot sample with ${JSON.stringify({ temperature, topK, topP, repetitionPenalty })}`,
      {
        hint: 'temperature from 0, top-k from 1, top-p above 0 and at most 1, penalty above 0.',
      },
    )
}

/** Whether the most probable token is taken, without a look at the others. */
export function isGreedy({ temperature = 0, repetitionPenalty = 1 }: Sampling): boolean {
  return temperature === 0 && repetitionPenalty === 1
}

/** Chooses one row's tokens, one after the other. `stream` tells rows of one seed apart. */
export function createSampler(
  sampling: Sampling,
  stream: number,
): (logits: Float32Array, seen: Iterable<number>) => number {
  const random = createRandom(`${sampling.seed ?? Math.random()}/${stream}`)
  return (logits, seen) => {
    penalise(logits, seen, sampling.repetitionPenalty ?? 1)
    if ((sampling.temperature ?? 0) === 0) return indexOfLargest(logits)
    const { ids, probabilities } = distribution(logits, sampling)
    let left = random.next()
    for (const [i, probability] of probabilities.entries()) {
      left -= probability
      if (left < 0) return ids[i]!
    }
    return ids[0]!
  }
}

/** Changes `logits` in place. */
export function penalise(logits: Float32Array, seen: Iterable<number>, penalty: number): void {
  if (penalty === 1) return
  for (const id of new Set(seen)) {
    const logit = logits[id]!
    logits[id] = logit > 0 ? logit / penalty : logit * penalty
  }
}

/** The probabilities at a temperature above 0 of the tokens that count. */
export function distribution(
  logits: Float32Array,
  { temperature = 1, topK = logits.length, topP = 1 }: Sampling,
): Distribution {
  const largest = logits[indexOfLargest(logits)]!
  const weights = new Float64Array(logits.length)
  for (const [id, logit] of logits.entries())
    weights[id] = Math.exp((logit - largest) / temperature)
  if (topK >= logits.length && topP >= 1)
    return { ids: Array.from(weights.keys()), probabilities: scaled(weights) }
  const chosen = candidates(weights, topK, topP)
    .sort((a, b) => weights[b]! - weights[a]! || a - b)
    .slice(0, topK)
  const kept = Float64Array.from(chosen, (id) => weights[id]!)
  const probabilities = scaled(kept)
  let reached = 0
  let count = 0
  while (count < chosen.length && (count === 0 || reached < topP))
    reached += probabilities[count++]!
  return { ids: chosen.slice(0, count), probabilities: scaled(kept.subarray(0, count)) }
}

/** Ids that hold all that count: most tokens are hopeless, and sorting them would take longer than the model does. */
function candidates(weights: Float64Array, topK: number, topP: number): number[] {
  const total = sum(weights)
  for (const bound of BOUNDS) {
    const ids: number[] = []
    let mass = 0
    for (const [id, weight] of weights.entries()) {
      if (weight < bound) continue
      ids.push(id)
      mass += weight
    }
    if (ids.length >= topK || mass >= topP * total) return ids
  }
  return Array.from(weights.keys())
}

function scaled(weights: Float64Array): Float64Array {
  const total = sum(weights)
  return weights.map((weight) => weight / total)
}

function sum(values: Float64Array): number {
  let total = 0
  for (const value of values) total += value
  return total
}

function indexOfLargest(values: Float32Array): number {
  let best = 0
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i
  return best
}
