/** Rows of float64 numbers: a sequence of vectors. */
export type Rows = readonly (readonly number[])[]

/** `b` may have more rows: those of a table of positions. */
export const plus = (a: Rows, b: Rows): Rows => a.map((row, i) => row.map((x, j) => x + b[i]![j]!))

export const times = (a: Rows, b: Rows): Rows => a.map((row, i) => row.map((x, j) => x * b[i]![j]!))

export const map = (a: Rows, f: (x: number) => number): Rows => a.map((row) => row.map(f))

/** Columns `start` to `end` of each row. */
export const columns = (a: Rows, start: number, end: number): Rows =>
  a.map((row) => row.slice(start, end))

const average = (row: readonly number[]) => row.reduce((sum, x) => sum + x, 0) / row.length

export function rmsNorm(row: readonly number[], weight: readonly number[], epsilon: number) {
  const root = Math.sqrt(average(row.map((x) => x * x)) + epsilon)
  return row.map((x, i) => (x / root) * weight[i]!)
}

export function layerNorm(
  row: readonly number[],
  weight: readonly number[],
  bias: readonly number[],
  epsilon: number,
) {
  const mean = average(row)
  const root = Math.sqrt(average(row.map((x) => (x - mean) ** 2)) + epsilon)
  return row.map((x, i) => ((x - mean) / root) * weight[i]! + bias[i]!)
}

/** By its series about 0; exact enough for |x| < 6. */
function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x)
  let term = x
  let sum = x
  for (let n = 1; n < 200; n++) {
    term *= -(x * x) / n
    sum += term / (2 * n + 1)
  }
  return (2 / Math.sqrt(Math.PI)) * sum
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x))
const tanhGelu = (x: number) =>
  0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))

export const PLAIN_ACTIVATIONS: Readonly<Record<string, (x: number) => number>> = {
  gelu: (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
  gelu_new: tanhGelu,
  gelu_fast: (x) => 0.5 * x * (1 + Math.tanh(x * 0.7978845608 * (1 + 0.044715 * x * x))),
  gelu_pytorch_tanh: tanhGelu,
  quick_gelu: (x) => x * sigmoid(1.702 * x),
  relu: (x) => Math.max(0, x),
  silu: (x) => x * sigmoid(x),
}

export interface PlainAttention {
  readonly heads: number
  readonly keyValueHeads: number
  readonly headSize: number
  readonly scale: number
  readonly window?: number | undefined
  readonly softcap?: number | undefined
  readonly slopes?: readonly number[]
  /** Applied to each query's and key's head. */
  readonly rotate: (head: readonly number[], position: number) => readonly number[]
}

/** Causal attention, one score at a time: rows of joined heads in, rows of joined heads out. */
export function attention(queries: Rows, keys: Rows, values: Rows, init: PlainAttention): Rows {
  const { heads, keyValueHeads, headSize, scale, window, softcap, slopes, rotate } = init
  return queries.map((queryRow, i) => {
    const out: number[] = []
    for (let head = 0; head < heads; head++) {
      const group = Math.floor(head / (heads / keyValueHeads))
      const part = (row: readonly number[], at: number) =>
        row.slice(at * headSize, (at + 1) * headSize)
      const query = rotate(part(queryRow, head), i)
      const scores: number[] = []
      for (let j = 0; j <= i; j++) {
        const key = rotate(part(keys[j]!, group), j)
        let score = scale * key.reduce((sum, x, d) => sum + x * query[d]!, 0)
        if (softcap !== undefined) score = softcap * Math.tanh(score / softcap)
        if (slopes !== undefined) score += slopes[head]! * j
        if (window !== undefined && j <= i - window) score = Number.NEGATIVE_INFINITY
        scores.push(score)
      }
      const largest = Math.max(...scores)
      const weights = scores.map((score) => Math.exp(score - largest))
      const total = weights.reduce((sum, x) => sum + x, 0)
      for (let d = 0; d < headSize; d++)
        out.push(weights.reduce((sum, w, j) => sum + (w / total) * part(values[j]!, group)[d]!, 0))
    }
    return out
  })
}

/** transformers' `rotate_half`: of the first `width` elements, element d turns with element d + width / 2. */
export function rotateHalf(
  head: readonly number[],
  position: number,
  width: number,
  frequency: (pair: number) => number,
  magnitude = 1,
): readonly number[] {
  const half = width / 2
  return head.map((x, d) => {
    if (d >= width) return x
    const angle = position * frequency(d % half)
    const other = d < half ? -head[d + half]! : head[d - half]!
    return magnitude * (x * Math.cos(angle) + other * Math.sin(angle))
  })
}
