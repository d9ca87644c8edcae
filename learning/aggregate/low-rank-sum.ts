import { addScaled, type Columns, combine, identity } from './columns.ts'
import { householderQr } from './householder-qr.ts'
import { jacobiSvd } from './jacobi-svd.ts'

/** A product `b a` of a given rank, and what was lost to get there. */
export interface Truncated {
  /** [rank, out]: the columns of `b`. */
  readonly b: Columns
  /** [rank, in]: the rows of `a`. */
  readonly a: Columns
  /** Squared Frobenius norm of the whole sum. */
  readonly energy: number
  /** Squared Frobenius norm of what lay beyond the rank. */
  readonly dropped: number
}

/** Singular values below this share of the largest are rounding. */
const NEGLIGIBLE = 1e-12

/**
 * A weighted sum of products `b a`, kept exactly: `sum_k left_k right_k'`. Terms are stacked while that is small; once the stack
 * would hold more numbers than the matrix itself it becomes the matrix, as (matrix, identity), and terms are added
 * into it. So memory never exceeds `in * out` (+ a small identity), whatever the number of terms.
 */
export class LowRankSum {
  readonly #out: number
  readonly #in: number
  /** Of length `out` each. */
  #left: Float64Array[] = []
  /** Of length `in` each, as many as `#left`. */
  #right: Float64Array[] = []
  #dense = false

  constructor(out: number, into: number) {
    this.#out = out
    this.#in = into
  }

  /** How many terms are held: never more than min(in, out). */
  get terms(): number {
    return this.#left.length
  }

  /** Adds `weight * column row'`, with `column` [out] and `row` [in]. */
  add(weight: number, column: Float64Array, row: Float64Array): void {
    if (!this.#dense && (this.terms + 1) * (this.#in + this.#out) > this.#in * this.#out)
      this.#densify()
    if (this.#dense) {
      this.#addDense(weight, column, row)
    } else {
      this.#left.push(column.map((x) => weight * x))
      this.#right.push(row)
    }
  }

  /**
   * The best approximation of `scale * sum` of the given rank (Eckart, Young 1936): QR of both stacks, singular values of the small core.
   * The factors are balanced: each carries the square root of the singular values. A direction without energy gets a
   * row in `a` and zero in `b`, as a fresh adapter has, since with zeros in both it could never be trained again.
   */
  truncate(rank: number, scale: number): Truncated {
    const left = householderQr(this.#left)
    const right = householderQr(this.#right)
    const { u, s, v } = jacobiSvd(core(left.r, right.r))
    const sigma = s.map((value) => value * scale)
    const floor = NEGLIGIBLE * (sigma[0] ?? 0)
    const b: Float64Array[] = []
    const a: Float64Array[] = []
    for (let k = 0; k < rank; k++) {
      const value = sigma[k] ?? 0
      const root = Math.sqrt(value)
      const live = value > floor
      // 1/sqrt(3) is the length of a row drawn as PEFT initialises A: uniform within 1/sqrt(in).
      const rowLength = live ? root : 1 / Math.sqrt(3)
      b.push(combineScaled(left.q, live ? u[k] : undefined, root, this.#out))
      a.push(combineScaled(right.q, v[k], rowLength, this.#in))
    }
    const energy = sumOfSquares(sigma)
    return { b, a, energy, dropped: sumOfSquares(sigma.subarray(rank)) }
  }

  #densify(): void {
    const [left, right] = [this.#left, this.#right]
    this.#dense = true
    this.#left = this.#in <= this.#out ? zeros(this.#in, this.#out) : identity(this.#out)
    this.#right = this.#in <= this.#out ? identity(this.#in) : zeros(this.#out, this.#in)
    for (let k = 0; k < left.length; k++) this.#addDense(1, left[k]!, right[k]!)
  }

  #addDense(weight: number, column: Float64Array, row: Float64Array): void {
    if (this.#in <= this.#out)
      for (let j = 0; j < this.#in; j++) addScaled(this.#left[j]!, weight * row[j]!, column)
    else for (let i = 0; i < this.#out; i++) addScaled(this.#right[i]!, weight * column[i]!, row)
  }
}

/** `rLeft rRight'` [p, q] from [p, k] and [q, k]. */
function core(rLeft: Columns, rRight: Columns): Columns {
  const rows = rLeft[0]?.length ?? 0
  return Array.from({ length: rRight[0]?.length ?? 0 }, (_, j) => {
    const column = new Float64Array(rows)
    for (let k = 0; k < rLeft.length; k++) addScaled(column, rRight[k]![j]!, rLeft[k]!)
    return column
  })
}

function combineScaled(
  basis: Columns,
  coefficients: Float64Array | undefined,
  scale: number,
  length: number,
): Float64Array {
  if (!coefficients) return new Float64Array(length)
  return combine(basis, coefficients, length).map((x) => scale * x)
}

function zeros(count: number, length: number): Float64Array[] {
  return Array.from({ length: count }, () => new Float64Array(length))
}

function sumOfSquares(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value * value, 0)
}
