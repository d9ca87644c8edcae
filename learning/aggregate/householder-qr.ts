import { addScaled, type Columns, dot } from './columns.ts'

export interface QrFactors {
  /** [m, p] with orthonormal columns, p = min(m, n). */
  readonly q: Columns
  /** [p, n], upper trapezoidal. */
  readonly r: Columns
}

/**
 * Thin QR of `a` [m, n] by Householder reflections (Golub, Van Loan, Matrix Computations, 5.2): `a = q r`.
 * `q` is orthonormal to rounding whatever the rank of `a`, which Gram-Schmidt would not give.
 */
export function householderQr(a: Columns): QrFactors {
  const m = a[0]?.length ?? 0
  const p = Math.min(m, a.length)
  const work = a.map((column) => column.slice())
  const reflectors: Float64Array[] = []
  for (let k = 0; k < p; k++) {
    const v = reflector(work[k]!, k)
    reflectors.push(v)
    for (let j = k; j < work.length; j++) reflect(v, work[j]!)
  }
  const q = Array.from({ length: p }, (_, k) => {
    const column = new Float64Array(m)
    column[k] = 1
    for (let i = p - 1; i >= 0; i--) reflect(reflectors[i]!, column)
    return column
  })
  // What is left below the diagonal is rounding: it is zero by construction.
  const r = work.map((column, j) => column.slice(0, p).fill(0, Math.min(j + 1, p)))
  return { q, r }
}

/** The unit vector whose reflection maps `x` from row `k` down onto a multiple of e_k; zero if there is nothing to do. */
function reflector(x: Float64Array, k: number): Float64Array {
  const v = x.slice().fill(0, 0, k)
  const norm = Math.sqrt(dot(v, v))
  if (norm === 0) return v
  v[k] = v[k]! + (v[k]! < 0 ? -norm : norm)
  const length = Math.sqrt(dot(v, v))
  for (let i = k; i < v.length; i++) v[i] = v[i]! / length
  return v
}

/** `x -= 2 v (v . x)`, in place. */
function reflect(v: Float64Array, x: Float64Array): void {
  addScaled(x, -2 * dot(v, x), v)
}
