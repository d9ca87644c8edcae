import { CotuneError } from '#base'
import { addScaled, type Columns, dot, identity } from './columns.ts'

export interface SingularValues {
  /** [m, n]: left singular vectors; a column is zero where its singular value is. */
  readonly u: Columns
  /** [n], descending, never negative. */
  readonly s: Float64Array
  /** [n, n], orthogonal: right singular vectors. */
  readonly v: Columns
}

const MAX_SWEEPS = 60
/** Columns count as orthogonal below this cosine. */
const TOLERANCE = 1e-15
/** A column shorter than this share of the matrix's norm is rounding, and its direction noise that no rotation settles. */
const NEGLIGIBLE = 1e-15

/**
 * Singular value decomposition `a = u diag(s) v'` of `a` [m, n] by one-sided Jacobi (Hestenes 1958). Accurate to
 * rounding of the largest singular value; vectors of singular values below 1e-15 of it are arbitrary in `u`, orthogonal in `v`.
 * Costs O(m n^2) a sweep, about 6 to 10 sweeps.
 *
 * @throws CotuneError AGGREGATE_NO_CONVERGENCE when the columns are not orthogonal after 60 sweeps, which finite input never does.
 */
export function jacobiSvd(a: Columns): SingularValues {
  const u = a.map((column) => column.slice())
  const v = identity(a.length)
  const floor = NEGLIGIBLE ** 2 * u.reduce((sum, column) => sum + dot(column, column), 0)
  for (let sweep = 0; rotateAllPairs(u, v, floor) > 0; sweep++) {
    if (sweep === MAX_SWEEPS)
      throw new CotuneError('AGGREGATE_NO_CONVERGENCE', 'The singular values did not converge.', {
        hint: 'Report this with the round record; the strategy "fedavg" does without them.',
      })
  }
  const norms = u.map((column) => Math.sqrt(dot(column, column)))
  const order = norms.map((_, k) => k).sort((i, j) => norms[j]! - norms[i]! || i - j)
  return {
    u: order.map((k) => u[k]!.map((x) => (norms[k]! > 0 ? x / norms[k]! : 0))),
    s: Float64Array.from(order, (k) => norms[k]!),
    v: order.map((k) => v[k]!),
  }
}

/** One sweep; returns how many pairs had to be rotated. */
function rotateAllPairs(u: Float64Array[], v: Float64Array[], floor: number): number {
  let rotated = 0
  for (let p = 0; p < u.length - 1; p++)
    for (let q = p + 1; q < u.length; q++) {
      const rotation = orthogonalise(u[p]!, u[q]!, floor)
      if (!rotation) continue
      rotated++
      rotate(u[p]!, u[q]!, rotation)
      rotate(v[p]!, v[q]!, rotation)
    }
  return rotated
}

interface Rotation {
  readonly cos: number
  readonly sin: number
}

/** The plane rotation that makes two columns orthogonal; undefined if they are, or one's squared norm is below `floor`. */
function orthogonalise(x: Float64Array, y: Float64Array, floor: number): Rotation | undefined {
  const xx = dot(x, x)
  const yy = dot(y, y)
  const xy = dot(x, y)
  if (xx <= floor || yy <= floor) return undefined
  if (Math.abs(xy) <= TOLERANCE * Math.sqrt(xx) * Math.sqrt(yy)) return undefined
  const zeta = (yy - xx) / (2 * xy)
  const tan = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.hypot(1, zeta))
  const cos = 1 / Math.hypot(1, tan)
  return { cos, sin: cos * tan }
}

function rotate(x: Float64Array, y: Float64Array, { cos, sin }: Rotation): void {
  for (let i = 0; i < x.length; i++) {
    const xi = x[i]!
    const yi = y[i]!
    x[i] = cos * xi - sin * yi
    y[i] = sin * xi + cos * yi
  }
}

/** `u diag(s) v'` -> the columns [m, n] of the product. */
export function recompose({ u, s, v }: SingularValues): Columns {
  const m = u[0]?.length ?? 0
  return s.length === 0
    ? []
    : Array.from(s, (_, j) => {
        const column = new Float64Array(m)
        for (let k = 0; k < s.length; k++) addScaled(column, s[k]! * v[k]![j]!, u[k]!)
        return column
      })
}
