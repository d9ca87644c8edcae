/** What `npm run bench -- NAME` runs. */
export interface Bench {
  /** Runs the bench; with `json` it prints one JSON object to stdout, else lines for people. */
  run(options: { readonly json: boolean; readonly args: readonly string[] }): Promise<void>
}
