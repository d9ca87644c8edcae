import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createRandom, isCotuneError, type Random } from '#base'
import { type AdapterWeights, applyDelta, createAggregator } from '#learning/aggregate'
import { LowRankSum } from '../../../learning/aggregate/low-rank-sum.ts'

interface Shape {
  readonly out: number
  readonly into: number
  readonly rank: number
}

const A = 'model.layers.0.self_attn.q_proj.lora_A.weight'
const B = 'model.layers.0.self_attn.q_proj.lora_B.weight'

function tensor(shape: readonly number[], value: () => number) {
  const size = shape.reduce((x, y) => x * y, 1)
  return { dtype: 'float32' as const, shape, data: Float32Array.from({ length: size }, value) }
}

function adapter({ out, into, rank }: Shape, random: Random): AdapterWeights {
  return new Map([
    [A, tensor([rank, into], () => random.normal())],
    [B, tensor([out, rank], () => random.normal())],
  ])
}

/** The slow, obvious twin: B A, dense and row-major, in double precision. */
function product(weights: AdapterWeights, { out, into, rank }: Shape): number[] {
  const a = weights.get(A)!.data
  const b = weights.get(B)!.data
  const dense = Array<number>(out * into).fill(0)
  for (let i = 0; i < out; i++)
    for (let j = 0; j < into; j++)
      for (let k = 0; k < rank; k++) dense[i * into + j]! += b[i * rank + k]! * a[k * into + j]!
  return dense
}

function denseMean(
  updates: readonly (readonly [AdapterWeights, number])[],
  shape: Shape,
): number[] {
  const total = updates.reduce((sum, [, weight]) => sum + weight, 0)
  const mean = Array<number>(shape.out * shape.into).fill(0)
  for (const [update, weight] of updates)
    for (const [i, value] of product(update, shape).entries()) mean[i]! += (weight * value) / total
  return mean
}

const energy = (values: readonly number[]) => values.reduce((sum, value) => sum + value * value, 0)
const minus = (x: readonly number[], y: readonly number[]) => x.map((value, i) => value - y[i]!)

function aggregate(
  strategy: 'exact' | 'fedavg',
  updates: readonly (readonly [AdapterWeights, number])[],
) {
  const aggregator = createAggregator(strategy)
  for (const [update, weight] of updates) aggregator.add(update, weight)
  return aggregator.finish()
}

const rounds = fc.record({
  shape: fc.record({
    out: fc.integer({ min: 2, max: 14 }),
    into: fc.integer({ min: 2, max: 14 }),
    rank: fc.integer({ min: 1, max: 4 }),
  }),
  weights: fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 9 }),
  seed: fc.integer(),
})

describe('exact aggregation', () => {
  it('loses exactly the energy it reports, against the dense mean', () => {
    fc.assert(
      fc.property(rounds, ({ shape, weights, seed }) => {
        const random = createRandom(seed)
        const updates = weights.map((weight) => [adapter(shape, random), weight] as const)
        const mean = denseMean(updates, shape)
        const result = aggregate('exact', updates)
        const lost = energy(minus(product(result.weights, shape), mean)) / energy(mean)
        expect(Math.abs(lost - result.energyDropped)).toBeLessThan(1e-6)
        expect(result.totalWeight).toBe(weights.reduce((x, y) => x + y))
      }),
    )
  })

  it('is exact when the rank suffices: one update, or equal ones', () => {
    const shape = { out: 12, into: 7, rank: 3 }
    const update = adapter(shape, createRandom('one'))
    for (const updates of [
      [[update, 5]],
      [
        [update, 1],
        [update, 7],
        [update, 2],
      ],
    ] as const) {
      const result = aggregate('exact', updates)
      const expected = product(update, shape)
      for (const [i, value] of product(result.weights, shape).entries())
        expect(value).toBeCloseTo(expected[i]!, 5)
      expect(result.energyDropped).toBeLessThan(1e-12)
    }
  })

  it('is at least as near the mean of products as averaging the factors', () => {
    fc.assert(
      fc.property(rounds, ({ shape, weights, seed }) => {
        const random = createRandom(seed)
        const updates = weights.map((weight) => [adapter(shape, random), weight] as const)
        const mean = denseMean(updates, shape)
        const error = (strategy: 'exact' | 'fedavg') =>
          energy(minus(product(aggregate(strategy, updates).weights, shape), mean))
        expect(error('exact')).toBeLessThanOrEqual(error('fedavg') * (1 + 1e-5) + 1e-9)
      }),
    )
  })

  it('balances the factors', () => {
    const shape = { out: 20, into: 9, rank: 4 }
    const random = createRandom('balance')
    const { weights } = aggregate('exact', [
      [adapter(shape, random), 3],
      [adapter(shape, random), 4],
    ])
    for (let k = 0; k < shape.rank; k++) {
      const row = [...weights.get(A)!.data.slice(k * shape.into, (k + 1) * shape.into)]
      const column = Array.from(
        { length: shape.out },
        (_, i) => weights.get(B)!.data[i * shape.rank + k]!,
      )
      expect(energy(row) / energy(column)).toBeCloseTo(1, 5)
    }
  })

  it('leaves directions without energy trainable: B zero, A not', () => {
    const shape = { out: 6, into: 5, rank: 2 }
    const update = new Map(adapter(shape, createRandom('zero'))).set(
      B,
      tensor([6, 2], () => 0),
    )
    const { weights, energyDropped } = aggregate('exact', [[update, 1]])
    expect(energyDropped).toBe(0)
    expect(weights.get(B)!.data.every((value) => value === 0)).toBe(true)
    expect(energy([...weights.get(A)!.data])).toBeCloseTo(2 / 3, 5)
  })

  it('gives the same bytes for the same updates in the same order', () => {
    const shape = { out: 6, into: 5, rank: 2 }
    const random = createRandom('same')
    const updates = [1, 2, 3].map((weight) => [adapter(shape, random), weight] as const)
    expect(aggregate('exact', updates)).toEqual(aggregate('exact', updates))
  })

  it('averages what is not a LoRA pair', () => {
    const norm = 'model.norm.weight'
    const updates = [2, 4].map((x) => [new Map([[norm, tensor([3], () => x)]]), x] as const)
    expect([...aggregate('exact', updates).weights.get(norm)!.data]).toEqual(
      Array(3).fill(Math.fround(20 / 6)),
    )
  })
})

describe('LowRankSum', () => {
  it('holds no more than min(in, out) terms however many are added', () => {
    const random = createRandom('terms')
    for (const [out, into] of [
      [5, 40],
      [40, 5],
      [9, 9],
    ] as const) {
      const sum = new LowRankSum(out, into)
      const dense = Array<number>(out * into).fill(0)
      for (let n = 0; n < 200; n++) {
        const column = Float64Array.from({ length: out }, () => random.normal())
        const row = Float64Array.from({ length: into }, () => random.normal())
        sum.add(n + 1, column, row)
        for (let i = 0; i < out; i++)
          for (let j = 0; j < into; j++) dense[i * into + j]! += (n + 1) * column[i]! * row[j]!
        expect(sum.terms).toBeLessThanOrEqual(Math.min(out, into))
      }
      const whole = sum.truncate(Math.min(out, into), 1)
      expect(whole.dropped).toBe(0)
      expect(whole.energy / energy(dense)).toBeCloseTo(1, 10)
      const back = dense.map((_, at) => {
        const [i, j] = [Math.floor(at / into), at % into]
        return whole.b.reduce((value, b, k) => value + b[i]! * whole.a[k]![j]!, 0)
      })
      expect(energy(minus(back, dense))).toBeLessThan(1e-20 * energy(dense))
    }
  })
})

describe('plain averaging', () => {
  it('is the weighted mean of each factor', () => {
    const constant = (x: number) =>
      new Map([
        [A, tensor([1, 2], () => x)],
        [B, tensor([2, 1], () => -x)],
      ])
    const { weights } = aggregate('fedavg', [
      [constant(1), 1],
      [constant(5), 3],
    ])
    expect([...weights.get(A)!.data, ...weights.get(B)!.data]).toEqual([4, 4, -4, -4])
  })
})

describe.each(['exact', 'fedavg'] as const)('bad updates, %s', (strategy) => {
  const shape = { out: 4, into: 3, rank: 2 }
  const good = () => adapter(shape, createRandom('good'))
  const cases: readonly (readonly [string, AdapterWeights, number])[] = [
    [
      'AGGREGATE_NOT_FINITE',
      new Map(good()).set(
        A,
        tensor([2, 3], () => Number.NaN),
      ),
      1,
    ],
    [
      'AGGREGATE_NOT_FINITE',
      new Map(good()).set(
        B,
        tensor([4, 2], () => Number.POSITIVE_INFINITY),
      ),
      1,
    ],
    [
      'AGGREGATE_SHAPE',
      new Map(good()).set(
        A,
        tensor([2, 4], () => 1),
      ),
      1,
    ],
    [
      'AGGREGATE_SHAPE',
      new Map(good()).set(
        A,
        tensor([3, 3], () => 1),
      ),
      1,
    ],
    ['AGGREGATE_SHAPE', new Map(good()).set(A, { ...tensor([2, 2], () => 1), shape: [2, 3] }), 1],
    ['AGGREGATE_NAMES', new Map([[A, tensor([2, 3], () => 1)]]), 1],
    ['AGGREGATE_NAMES', new Map(), 1],
    [
      'AGGREGATE_NAMES',
      new Map(good()).set(
        'extra',
        tensor([1], () => 1),
      ),
      1,
    ],
    [
      'AGGREGATE_DTYPE',
      new Map(good()).set(A, { dtype: 'int32', shape: [2, 3], data: new Int32Array(6) }),
      1,
    ],
    ['AGGREGATE_WEIGHT', good(), 0],
    ['AGGREGATE_WEIGHT', good(), -1],
    ['AGGREGATE_WEIGHT', good(), Number.NaN],
  ]

  it.each(cases)(
    'refuses with %s and keeps what was added before (case %#)',
    (code, update, weight) => {
      const aggregator = createAggregator(strategy)
      aggregator.add(good(), 2)
      const before = aggregator.finish()
      expect(codeOf(() => aggregator.add(update, weight))).toBe(code)
      expect(aggregator.finish()).toEqual(before)
    },
  )

  it('refuses to finish without updates', () => {
    expect(codeOf(() => createAggregator(strategy).finish())).toBe('AGGREGATE_EMPTY')
  })
})

describe('applyDelta', () => {
  const shape = { out: 4, into: 3, rank: 2 }

  it('undoes a subtraction', () => {
    const [base, delta] = [adapter(shape, createRandom(1)), adapter(shape, createRandom(2))]
    const sum = applyDelta(base, delta)
    for (const [name, { data }] of sum)
      expect([...data]).toEqual(
        [...base.get(name)!.data].map((x, i) => Math.fround(x + delta.get(name)!.data[i]!)),
      )
  })

  it('refuses another shape or other names', () => {
    const base = adapter(shape, createRandom(1))
    expect(codeOf(() => applyDelta(base, adapter({ ...shape, into: 4 }, createRandom(2))))).toBe(
      'AGGREGATE_SHAPE',
    )
    expect(codeOf(() => applyDelta(base, new Map()))).toBe('AGGREGATE_NAMES')
  })
})

function codeOf(action: () => unknown): string {
  try {
    action()
  } catch (error) {
    if (isCotuneError(error)) return error.code
    throw error
  }
  return 'no error'
}
