import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { concatBytes, isCotuneError } from '#base'
import { tensor } from '#engine'
import { decodeSafetensors, encodeSafetensors } from '#learning/models'

/** A file with this header text, a length field of its own choosing and so many zero bytes of data. */
function fileOf(header: string, dataBytes: number, length = BigInt(Buffer.byteLength(header))) {
  const head = Buffer.alloc(8)
  head.writeBigUInt64LE(length)
  return new Uint8Array(Buffer.concat([head, Buffer.from(header), Buffer.alloc(dataBytes)]))
}

const entry = (shape: unknown, offsets: unknown, dtype = 'F32') =>
  JSON.stringify({ dtype, shape, data_offsets: offsets })

describe('round trip', () => {
  const tensors = new Map([
    ['b', tensor(Float32Array.of(1, -2.5, 3, 0, 1e-3, 7), [2, 3])],
    ['a', tensor(Float32Array.of(0.5), [])],
    ['__proto__', tensor(Float32Array.of(4, 5), [2])],
  ])

  it.each(['float32', 'float16', 'bfloat16'] as const)('%s', (dtype) => {
    const bytes = concatBytes([...encodeSafetensors(tensors, { dtype })])
    const back = decodeSafetensors(bytes, 'test')
    expect([...back.keys()].sort()).toEqual([...tensors.keys()].sort())
    for (const [name, { shape, data }] of tensors) {
      expect(back.get(name)?.shape).toEqual(shape)
      const tolerance = { float32: 0, float16: 2 ** -11, bfloat16: 2 ** -8 }[dtype]
      const read = back.get(name)!.data
      for (let i = 0; i < data.length; i++)
        expect(Math.abs(read[i]! - data[i]!)).toBeLessThanOrEqual(tolerance * Math.abs(data[i]!))
    }
  })

  it('is the same bytes whatever the order of the map', () => {
    const reversed = new Map([...tensors].reverse())
    expect(concatBytes([...encodeSafetensors(reversed)])).toEqual(
      concatBytes([...encodeSafetensors(tensors)]),
    )
  })

  it('pads the header so that data lies aligned', () => {
    const [header] = [...encodeSafetensors(tensors)]
    expect(header!.length % 8).toBe(0)
  })
})

describe('refuses', () => {
  const good = `{"a":${entry([2], [0, 8])}}`
  const cases: readonly [string, Uint8Array, string][] = [
    ['an empty file', new Uint8Array(0), 'SAFETENSORS_TRUNCATED'],
    ['a GGUF file', Buffer.from('GGUF\u0003\0\0\0'), 'SAFETENSORS_GGUF'],
    [
      'an LFS pointer',
      Buffer.from('version https://git-lfs.github.com/spec/v1\noid'),
      'SAFETENSORS_LFS_POINTER',
    ],
    ['a length of 2^63', fileOf(good, 8, 2n ** 63n), 'SAFETENSORS_HEADER_LENGTH'],
    ['a length past the end', fileOf(good, 8, 1000n), 'SAFETENSORS_HEADER_LENGTH'],
    ['text that is no JSON', fileOf('{"a":', 8), 'SAFETENSORS_HEADER_INVALID'],
    ['an array', fileOf('[]', 0), 'SAFETENSORS_HEADER_INVALID'],
    ['an entry that is no tensor', fileOf('{"a":1}', 0), 'SAFETENSORS_HEADER_INVALID'],
    [
      'a name twice',
      fileOf(`{"a":${entry([2], [0, 8])}, "\\u0061" :${entry([2], [8, 16])}}`, 16),
      'SAFETENSORS_TENSOR_REPEATED',
    ],
    ['a wrong dtype', fileOf(`{"a":${entry([2], [0, 8], 'F33')}}`, 8), 'SAFETENSORS_DTYPE_UNKNOWN'],
    [
      'a dtype it cannot tune',
      fileOf(`{"a":${entry([8], [0, 8], 'I8')}}`, 8),
      'SAFETENSORS_DTYPE_UNSUPPORTED',
    ],
    [
      'a dtype of which several share a byte',
      fileOf(`{"a":${entry([16], [0, 8], 'F4')}}`, 8),
      'SAFETENSORS_DTYPE_UNSUPPORTED',
    ],
    [
      'a part of a byte',
      fileOf(`{"a":${entry([15], [0, 8], 'F4')}}`, 8),
      'SAFETENSORS_SIZE_MISMATCH',
    ],
    [
      'a negative shape',
      fileOf(`{"a":${entry([-2, -1], [0, 8])}}`, 8),
      'SAFETENSORS_SHAPE_INVALID',
    ],
    [
      'a shape past all numbers',
      fileOf(`{"a":${entry([2 ** 40, 2 ** 40], [0, 8])}}`, 8),
      'SAFETENSORS_SHAPE_INVALID',
    ],
    ['offsets reversed', fileOf(`{"a":${entry([2], [8, 0])}}`, 8), 'SAFETENSORS_OFFSETS_INVALID'],
    ['offsets below 0', fileOf(`{"a":${entry([2], [-8, 0])}}`, 8), 'SAFETENSORS_OFFSETS_INVALID'],
    ['half offsets', fileOf(`{"a":${entry([2], [0.5, 8.5])}}`, 9), 'SAFETENSORS_OFFSETS_INVALID'],
    ['a wrong size', fileOf(`{"a":${entry([3], [0, 8])}}`, 8), 'SAFETENSORS_SIZE_MISMATCH'],
    ['a hole', fileOf(`{"a":${entry([2], [8, 16])}}`, 16), 'SAFETENSORS_OFFSETS_INVALID'],
    [
      'an overlap',
      fileOf(`{"a":${entry([2], [0, 8])},"b":${entry([2], [4, 12])}}`, 12),
      'SAFETENSORS_OFFSETS_INVALID',
    ],
    ['a header longer than any', fileOf(' '.repeat(9_000_000), 0), 'SAFETENSORS_HEADER_LENGTH'],
    ['a header that begins with a space', fileOf(` ${good}`, 8), 'SAFETENSORS_HEADER_INVALID'],
    [
      'metadata that are no text',
      fileOf(`{"__metadata__":{"a":1},"a":${entry([2], [0, 8])}}`, 8),
      'SAFETENSORS_HEADER_INVALID',
    ],
    [
      'a field twice',
      fileOf(`{"a":{"dtype":"F32","shape":[9],"shape":[2],"data_offsets":[0,8]}}`, 8),
      'SAFETENSORS_TENSOR_REPEATED',
    ],
    ['missing data', fileOf(good, 4), 'SAFETENSORS_TRUNCATED'],
    ['data too many', fileOf(good, 12), 'SAFETENSORS_HEADER_INVALID'],
  ]

  it.each(cases)('%s', (_, bytes, code) => {
    expect(() => decodeSafetensors(bytes, 'test')).toThrow(expect.objectContaining({ code }))
  })

  it('any bytes with a typed error, never another', () => {
    const whole = concatBytes([
      ...encodeSafetensors(new Map([['name', tensor(Float32Array.of(1, 2, 3, 4), [2, 2])]])),
    ])
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 4 }),
        fc.nat(whole.length),
        (changes, length) => {
          const bytes = whole.slice(0, length)
          for (const [at, value] of changes) if (at < length) bytes[at] = value
          try {
            decodeSafetensors(bytes, 'fuzz')
          } catch (error) {
            expect(isCotuneError(error)).toBe(true)
          }
        },
      ),
      { numRuns: 2_000 },
    )
  })
})
