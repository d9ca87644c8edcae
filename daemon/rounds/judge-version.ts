import type { Scores } from '#learning/tuning'

export interface VersionVerdict {
  readonly kept: boolean
  /** In words, for the owner. */
  readonly reason: string
}

export interface VersionTolerance {
  /** Share by which perplexity per byte may grow. */
  readonly maxPerplexityGrowth: number
  /** Percentage points by which exact match may fall. */
  readonly maxExactMatchLoss: number
}

/**
 * Whether a device should answer with a newly published version, by its own held-out rows. Clearly worse means worse beyond the
 * tolerance, since a few rows are a noisy measure; a version that is no number at all never stays.
 */
export function judgeVersion(
  before: Scores,
  after: Scores,
  tolerance: VersionTolerance,
): VersionVerdict {
  const perplexity = `perplexity per byte ${before.perplexityPerByte.toFixed(3)} -> ${after.perplexityPerByte.toFixed(3)}`
  const exact = `exact match ${before.em.toFixed(1)} -> ${after.em.toFixed(1)}`
  if (!Number.isFinite(after.perplexityPerByte)) {
    return { kept: false, reason: `rolled back: ${perplexity}` }
  }
  if (after.perplexityPerByte > before.perplexityPerByte * (1 + tolerance.maxPerplexityGrowth)) {
    return { kept: false, reason: `rolled back: ${perplexity}` }
  }
  if (before.em - after.em > tolerance.maxExactMatchLoss) {
    return { kept: false, reason: `rolled back: ${exact}` }
  }
  return { kept: true, reason: `${exact}, ${perplexity} on ${after.examples} held-out rows` }
}
