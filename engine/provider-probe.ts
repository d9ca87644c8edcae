/** What became of something to compute on that was looked at: an execution provider, a backend. */
export interface ProviderProbe {
  readonly name: string
  readonly works: boolean
  /** Why not; empty when it works. */
  readonly reason: string
}
