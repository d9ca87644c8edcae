/** Pieces by their UTF-16 units: which pieces start here? */
export class PieceTrie {
  readonly #next = new Map<number, number>()
  /** By node: the piece that ends there, or -1. */
  readonly #pieceAt: number[] = [-1]

  /** @param pieces texts by index; empty ones are left out */
  constructor(pieces: readonly string[]) {
    for (let index = 0; index < pieces.length; index++) {
      const piece = pieces[index]!
      if (piece === '') continue
      let node = 0
      for (let i = 0; i < piece.length; i++) node = this.#child(node, piece.charCodeAt(i))
      if (this.#pieceAt[node] === -1) this.#pieceAt[node] = index
    }
  }

  /** The node after `unit`, or -1. The root is 0. */
  step(node: number, unit: number): number {
    return this.#next.get(node * 0x1_0000 + unit) ?? -1
  }

  pieceAt(node: number): number {
    return this.#pieceAt[node]!
  }

  #child(node: number, unit: number): number {
    const key = node * 0x1_0000 + unit
    const known = this.#next.get(key)
    if (known !== undefined) return known
    this.#pieceAt.push(-1)
    const child = this.#pieceAt.length - 1
    this.#next.set(key, child)
    return child
  }
}
