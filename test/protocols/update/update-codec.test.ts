import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createRandom, isCotuneError } from '#base'
import type { AdapterWeights } from '#learning/tuning'
import { decodeUpdate, encodeUpdate, type Precision } from '#protocols/update'

function adapter(scale = 0.01, seed = 'adapter'): AdapterWeights {
  const random = createRandom(seed)
  const make = (shape: readonly number[]) => ({
    dtype: 'float32' as const,
    shape,
    data: Float32Array.from(
      { length: shape.reduce((a, b) => a * b, 1) },
      () => random.normal() * scale,
    ),
  })
  return new Map([
    ['model.layers.0.q_proj.lora_A.weight', make([4, 32])],
    ['model.layers.0.q_proj.lora_B.weight', make([48, 4])],
    ['bias', make([7])],
    ['scalar', make([])],
    ['nothing', make([0, 3])],
  ])
}

function error(a: AdapterWeights, b: AdapterWeights): number {
  let sum = 0
  let norm = 0
  for (const [name, { data }] of a) {
    for (const [i, value] of data.entries()) {
      sum += (value - b.get(name)!.data[i]!) ** 2
      norm += value ** 2
    }
  }
  return Math.sqrt(sum / norm)
}

const code = (expected: string) => expect.objectContaining({ code: expected })

describe('update codec', () => {
  it.each([
    ['float32', 0],
    ['float16', 4e-4],
    ['int8', 1e-2],
  ] as const)(
    '%s keeps names, shapes, the weight, and numbers to a relative error of %d',
    async (precision, limit) => {
      const delta = adapter()
      const decoded = await decodeUpdate(await encodeUpdate({ delta, examples: 321 }, precision))
      expect([...decoded.delta.keys()]).toEqual([...delta.keys()])
      for (const [name, { shape }] of delta) expect(decoded.delta.get(name)!.shape).toEqual(shape)
      expect(decoded.examples).toBe(321)
      expect(error(delta, decoded.delta)).toBeLessThanOrEqual(limit)
    },
  )

  it('int8 takes about a quarter of float32', async () => {
    const data = new Float32Array(64 * 256).fill(0.5)
    const delta: AdapterWeights = new Map([['w', { dtype: 'float32', shape: [64, 256], data }]])
    const bytes = async (precision: Precision) =>
      (await encodeUpdate({ delta, examples: 1 }, precision)).length
    expect(await bytes('int8')).toBeLessThan(0.26 * (await bytes('float32')))
  })

  it('float16 agrees with IEEE 754 on its corners', async () => {
    const corners = [
      0,
      -0,
      1,
      -2,
      65_504,
      2 ** -14,
      2 ** -24,
      2 ** -25,
      1 + 2 ** -11,
      1 + 3 * 2 ** -11,
    ]
    const data = Float32Array.from(corners)
    const delta: AdapterWeights = new Map([['w', { dtype: 'float32', shape: [data.length], data }]])
    const { delta: decoded } = await decodeUpdate(
      await encodeUpdate({ delta, examples: 0 }, 'float16'),
    )
    expect([...decoded.get('w')!.data]).toEqual([
      0,
      -0,
      1,
      -2,
      65_504,
      2 ** -14,
      2 ** -24,
      0,
      1,
      1 + 2 ** -9,
    ])
  })

  it.each(['int8', 'float16', 'float32'] as const)(
    '%s refuses what is no number, on both sides',
    async (precision) => {
      for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
        const data = Float32Array.from([1, bad, 2])
        const delta: AdapterWeights = new Map([['w', { dtype: 'float32', shape: [3], data }]])
        await expect(encodeUpdate({ delta, examples: 1 }, precision)).rejects.toThrowError(
          code('UPDATE_NOT_FINITE'),
        )
      }
      const data = Float32Array.from([1, 2, 3])
      const delta: AdapterWeights = new Map([['w', { dtype: 'float32', shape: [3], data }]])
      const bytes = await encodeUpdate({ delta, examples: 1 }, precision)
      // The last bytes are data: all ones are a NaN in either float; in int8 the scale is made one.
      const at = bytes.length - { int8: 7, float16: 6, float32: 12 }[precision]
      bytes.fill(0xff, at, at + 4)
      await expect(decodeUpdate(bytes)).rejects.toThrowError(code('UPDATE_NOT_FINITE'))
    },
  )

  it('refuses a changed length, a cut, a tail and a promise of more than there is', async () => {
    const bytes = await encodeUpdate({ delta: adapter(), examples: 1 }, 'int8')
    await expect(decodeUpdate(bytes.subarray(0, -1))).rejects.toThrowError(code('UPDATE_MALFORMED'))
    await expect(decodeUpdate(new Uint8Array([...bytes, 0]))).rejects.toThrowError(
      code('UPDATE_MALFORMED'),
    )
    const long = Uint8Array.from(bytes)
    long[7] = 0xff
    await expect(decodeUpdate(long)).rejects.toThrowError(code('UPDATE_MALFORMED'))
  })

  it('refuses shapes beyond its limits before it allocates', async () => {
    const delta: AdapterWeights = new Map([
      ['w', { dtype: 'float32', shape: [1 << 20, 1 << 20], data: new Float32Array(0) }],
    ])
    await expect(encodeUpdate({ delta, examples: 1 }, 'int8')).rejects.toThrow()
  })

  it('answers any bytes with an update or a typed error', async () => {
    const valid = await encodeUpdate({ delta: adapter(), examples: 5 }, 'int8')
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }),
          fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        ),
        async (input) => {
          const bytes = input instanceof Uint8Array ? input : Uint8Array.from(valid)
          if (!(input instanceof Uint8Array)) for (const [at, value] of input) bytes[at] = value
          try {
            for (const { data } of (await decodeUpdate(bytes)).delta.values()) {
              if (!data.every(Number.isFinite)) return false
            }
            return true
          } catch (thrown) {
            return isCotuneError(thrown)
          }
        },
      ),
      { numRuns: 2_000 },
    )
  })
})
