import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createRandom } from '#base'
import { type Columns, combine, dot } from '../../../learning/aggregate/columns.ts'
import { householderQr } from '../../../learning/aggregate/householder-qr.ts'
import { jacobiSvd, recompose } from '../../../learning/aggregate/jacobi-svd.ts'

const size = fc.integer({ min: 1, max: 12 })
const problem = fc.record({
  m: size,
  n: size,
  rank: size,
  scale: fc.constantFrom(1e-60, 1e-6, 1, 1e6, 1e60),
  seed: fc.integer(),
})

/** m x n of at most the given rank. */
function matrix({
  m,
  n,
  rank,
  scale,
  seed,
}: typeof problem extends fc.Arbitrary<infer T> ? T : never) {
  const random = createRandom(seed)
  const basis = columns(m, rank, () => random.normal() * scale)
  return columns(rank, n, () => random.normal()).map((c) => combine(basis, c))
}

function columns(m: number, n: number, value: () => number): Float64Array[] {
  return Array.from({ length: n }, () => Float64Array.from({ length: m }, value))
}

function norm(a: Columns): number {
  return Math.hypot(...a.map((column) => Math.hypot(...column)))
}

function difference(a: Columns, b: Columns): number {
  expect(a.length).toBe(b.length)
  return norm(a.map((column, j) => column.map((x, i) => x - b[j]![i]!)))
}

function expectOrthonormal(a: Columns): void {
  for (const [i, x] of a.entries())
    for (const [j, y] of a.entries())
      expect(Math.abs(dot(x, y) - (i === j ? 1 : 0))).toBeLessThan(1e-13)
}

describe('householderQr', () => {
  it('factors any matrix into orthonormal columns and a triangle', () => {
    fc.assert(
      fc.property(problem, (p) => {
        const a = matrix(p)
        const { q, r } = householderQr(a)
        expectOrthonormal(q)
        const product = r.map((column) => combine(q, column))
        expect(difference(product, a)).toBeLessThanOrEqual(1e-13 * norm(a))
        for (const [j, column] of r.entries())
          for (let i = j + 1; i < column.length; i++) expect(column[i]).toBe(0)
      }),
    )
  })

  it('is orthonormal even where Gram-Schmidt fails (Lauchli)', () => {
    const tiny = 1e-9
    const a = [0, 1, 2].map((k) =>
      Float64Array.from([1, ...[0, 1, 2].map((i) => (i === k ? tiny : 0))]),
    )
    expectOrthonormal(householderQr(a).q)
  })

  it('takes zero matrices', () => {
    const { q, r } = householderQr(columns(4, 3, () => 0))
    expectOrthonormal(q)
    expect(norm(r)).toBe(0)
  })
})

describe('jacobiSvd', () => {
  it('reconstructs, orders and orthogonalises', () => {
    fc.assert(
      fc.property(problem, (p) => {
        const a = matrix(p)
        const { u, s, v } = jacobiSvd(a)
        expect(difference(recompose({ u, s, v }), a)).toBeLessThanOrEqual(1e-13 * norm(a))
        expectOrthonormal(v)
        expect([...s]).toEqual([...s].sort((x, y) => y - x))
        const live = u.filter((_, k) => s[k]! > 1e-10 * s[0]!)
        expect(live.length).toBeLessThanOrEqual(Math.min(p.m, p.n, p.rank))
        expectOrthonormal(live)
      }),
    )
  })

  it('finds the singular values of the 3x3 Hilbert matrix', () => {
    const hilbert = [0, 1, 2].map((j) => Float64Array.from([0, 1, 2], (i) => 1 / (i + j + 1)))
    const expected = [1.408318927123654, 0.1223270658539058, 0.002687340355773529]
    for (const [k, value] of jacobiSvd(hilbert).s.entries())
      expect(value).toBeCloseTo(expected[k]!, 14)
  })

  it('ends on matrices of low rank and on zero', () => {
    const ones = columns(6, 9, () => 1)
    const { s, v } = jacobiSvd(ones)
    expect(s[0]).toBeCloseTo(Math.sqrt(54), 12)
    expect(s[1]! / s[0]!).toBeLessThan(1e-15)
    expectOrthonormal(v)
    expect([...jacobiSvd(columns(3, 3, () => 0)).s]).toEqual([0, 0, 0])
  })
})
