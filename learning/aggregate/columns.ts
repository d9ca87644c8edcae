/** A real matrix as the list of its columns, in double precision; all of one length. */
export type Columns = readonly Float64Array[]

/** Inner product of two vectors of one length. */
export function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

/** `y += alpha x`, in place. */
export function addScaled(y: Float64Array, alpha: number, x: Float64Array): void {
  for (let i = 0; i < y.length; i++) y[i] = y[i]! + alpha * x[i]!
}

/** `a c`: the combination of the columns of `a` [m, k] with the coefficients `c` [k] -> [m]. */
export function combine(a: Columns, c: Float64Array, length = a[0]?.length ?? 0): Float64Array {
  const out = new Float64Array(length)
  for (const [k, column] of a.entries()) addScaled(out, c[k]!, column)
  return out
}

/** The identity [size, size]. */
export function identity(size: number): Float64Array[] {
  return Array.from({ length: size }, (_, k) => {
    const column = new Float64Array(size)
    column[k] = 1
    return column
  })
}
