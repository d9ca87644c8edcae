import { createHash } from 'node:crypto'

/** A seeded stream of numbers: the same seed gives the same stream on every machine. Not for keys. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number
  /** Uniform integer in [0, bound). */
  integer(bound: number): number
  /** Standard normal. */
  normal(): number
  /** A shuffled copy (Fisher-Yates). */
  shuffle<T>(items: readonly T[]): T[]
  /** One of `items`, which must not be empty. */
  pick<T>(items: readonly T[]): T
  /** An independent stream, named so that adding one does not shift the others. */
  fork(label: string): Random
}

/** xoshiro128** (Blackman, Vigna 2018), seeded by SHA-256 of `seed`. */
export function createRandom(seed: string | number): Random {
  const state = new Uint32Array(4)
  const digest = createHash('sha256').update(String(seed)).digest()
  for (let i = 0; i < 4; i++) state[i] = digest.readUInt32LE(4 * i)
  let spare: number | undefined

  const rotate = (x: number, k: number) => ((x << k) | (x >>> (32 - k))) >>> 0
  const bits = (): number => {
    const [a, b, c, d] = state as unknown as [number, number, number, number]
    const result = Math.imul(rotate(Math.imul(b, 5) >>> 0, 7), 9) >>> 0
    const t = b << 9
    const c2 = c ^ a
    const d2 = d ^ b
    state[1] = b ^ c2
    state[0] = a ^ d2
    state[2] = c2 ^ t
    state[3] = rotate(d2 >>> 0, 11)
    return result
  }
  const random: Random = {
    next: () => ((bits() >>> 5) * 67_108_864 + (bits() >>> 6)) / 9_007_199_254_740_992,
    integer: (bound) => Math.floor(random.next() * bound),
    normal: () => {
      if (spare !== undefined) {
        const value = spare
        spare = undefined
        return value
      }
      const radius = Math.sqrt(-2 * Math.log(1 - random.next()))
      const angle = 2 * Math.PI * random.next()
      spare = radius * Math.sin(angle)
      return radius * Math.cos(angle)
    },
    shuffle: (items) => {
      const out = [...items]
      for (let i = out.length - 1; i > 0; i--) {
        const j = random.integer(i + 1)
        ;[out[i], out[j]] = [out[j]!, out[i]!]
      }
      return out
    },
    pick: (items) => items[random.integer(items.length)]!,
    fork: (label) => createRandom(`${seed}/${label}`),
  }
  return random
}
