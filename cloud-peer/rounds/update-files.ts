import type { Contribution } from '../store/contributions.ts'
import type { WeightedDelta } from '../tuner.ts'

/** The sealed updates that were received. */
export interface UpdateFiles {
  /**
   * Unseals one.
   * @throws CotuneError when the file is missing or damaged
   */
  open(contribution: Contribution): Promise<WeightedDelta>
}
