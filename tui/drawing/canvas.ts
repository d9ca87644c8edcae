/** Bits of the Unicode braille block (U+2800) by row and column of the dot. */
const BRAILLE = [
  [0x01, 0x08],
  [0x02, 0x10],
  [0x04, 0x20],
  [0x40, 0x80],
] as const

/** Who drew a cell: `-1` nobody, `2 * series` its raw band, `2 * series + 1` its line. */
export type Owner = number

/**
 * Dots in terminal cells: 2 x 4 dots a cell with braille, one without. A cell has one colour, so it belongs to the last owner;
 * a line that enters a cell of a band wipes it first and so stays crisp.
 */
export class Canvas {
  readonly width: number
  readonly height: number
  readonly dotsX: number
  readonly dotsY: number
  readonly #bits: Uint8Array
  readonly #owners: Int8Array
  readonly #braille: boolean

  constructor(init: {
    readonly width: number
    readonly height: number
    readonly braille: boolean
  }) {
    this.width = init.width
    this.height = init.height
    this.#braille = init.braille
    this.dotsX = init.width * (init.braille ? 2 : 1)
    this.dotsY = init.height * (init.braille ? 4 : 1)
    this.#bits = new Uint8Array(init.width * init.height)
    this.#owners = new Int8Array(init.width * init.height).fill(-1)
  }

  dot(x: number, y: number, owner: Owner): void {
    if (x < 0 || y < 0 || x >= this.dotsX || y >= this.dotsY) return
    const [column, row] = this.#braille ? [x >> 1, y >> 2] : [x, y]
    const cell = row * this.width + column
    const before = this.#owners[cell] ?? -1
    if (owner % 2 === 1 && before % 2 === 0) this.#bits[cell] = 0
    this.#bits[cell] =
      (this.#bits[cell] ?? 0) | (this.#braille ? (BRAILLE[y & 3]?.[x & 1] ?? 0) : 1)
    this.#owners[cell] = owner
  }

  /** Bresenham's line, both ends included. */
  line(x0: number, y0: number, x1: number, y1: number, owner: Owner): void {
    const dx = Math.abs(x1 - x0)
    const dy = -Math.abs(y1 - y0)
    const stepX = x0 < x1 ? 1 : -1
    const stepY = y0 < y1 ? 1 : -1
    let error = dx + dy
    let [x, y] = [x0, y0]
    for (;;) {
      this.dot(x, y, owner)
      if (x === x1 && y === y1) return
      const twice = 2 * error
      if (twice >= dy) {
        error += dy
        x += stepX
      }
      if (twice <= dx) {
        error += dx
        y += stepY
      }
    }
  }

  owner(column: number, row: number): Owner {
    return this.#owners[row * this.width + column] ?? -1
  }

  /** The braille character of a cell. */
  character(column: number, row: number): string {
    return String.fromCharCode(0x2800 + (this.#bits[row * this.width + column] ?? 0))
  }
}
