/** Packs the bytes of a version as a blob that members can pull, and returns its id. */
export type PackVersion = (content: Uint8Array, round: number) => Promise<string>
