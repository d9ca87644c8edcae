import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { loadCheckpoint } from '#learning/models'
import { encodeGguf } from '../../bench/decode/gguf-blocks.ts'
import { ggufHeader } from '../../bench/decode/gguf-header.ts'
import { writeGguf } from '../../bench/decode/write-gguf.ts'
import { randomCheckpoint } from '../../bench/random-checkpoint.ts'
import { TINY } from '../learning/models/tiny-models.ts'

const ramp = Float32Array.from({ length: 32 }, (_, i) => i - 16)

describe('blocks', () => {
  it('of 8 bits: a half-precision scale, then signed bytes', () => {
    const bytes = encodeGguf('q8_0', ramp)
    expect(bytes).toHaveLength(34)
    // 16 / 127 = 0.12598 as float16.
    expect([bytes[0], bytes[1]]).toEqual([0x08, 0x30])
    const quanta = new Int8Array(bytes.buffer, 2)
    expect([quanta[0], quanta[16], quanta[31]]).toEqual([-127, 0, 119])
  })

  it('of 4 bits: the furthest number at 0, zero at 8, the later half in the upper bits', () => {
    const bytes = encodeGguf('q4_0', ramp)
    expect(bytes).toHaveLength(18)
    // -16 / -8 = 2 as float16.
    expect([bytes[0], bytes[1]]).toEqual([0x00, 0x40])
    expect(bytes[2]).toBe(0 | (8 << 4))
    expect(bytes[17]).toBe(8 | (15 << 4))
  })

  it('of zeros stay zeros', () => {
    expect(new Set(encodeGguf('q4_0', new Float32Array(32)).subarray(2))).toEqual(new Set([0x88]))
    expect(new Set(encodeGguf('q8_0', new Float32Array(32)))).toEqual(new Set([0]))
  })
})

it('writes a head that is aligned, dimensions last to first', () => {
  const tensors = [
    { name: 'a', shape: [3, 64], type: 8, bytes: 204 },
    { name: 'b', shape: [5], type: 0, bytes: 20 },
  ]
  const header = Buffer.from(ggufHeader({ key: { uint32: 7 } }, tensors))
  expect(header.length % 32).toBe(0)
  expect(header.toString('latin1', 0, 4)).toBe('GGUF')
  expect(header.readUInt32LE(4)).toBe(3)
  expect([header.readBigUInt64LE(8), header.readBigUInt64LE(16)]).toEqual([2n, 1n])
  // "key" (8 + 3), its type 4 and its value; then "a" (8 + 1), two dimensions, its type, its place.
  expect([header.readUInt32LE(35), header.readUInt32LE(39)]).toEqual([4, 7])
  expect(header.readUInt32LE(52)).toBe(2)
  expect([header.readBigUInt64LE(56), header.readBigUInt64LE(64)]).toEqual([64n, 3n])
  expect([header.readUInt32LE(72), header.readBigUInt64LE(76)]).toEqual([8, 0n])
  // "b" begins at the next multiple of 32 after 204.
  expect(header.readBigUInt64LE(84 + 9 + 4 + 8 + 4)).toBe(224n)
})

describe('a Llama as GGUF', () => {
  let cache: string

  beforeEach(async () => {
    cache = await mkdtemp(join(tmpdir(), 'bench-'))
    vi.stubEnv('COTUNE_BENCH_CACHE', cache)
  })

  afterEach(() => rm(cache, { recursive: true }))

  it('holds every number, the rows of queries and keys in pairs', async () => {
    const config = { ...TINY.llama, tie_word_embeddings: true }
    const folder = await randomCheckpoint('tiny', config)
    const bytes = await readFile(await writeGguf(folder, 'f32'))
    const { weights } = await loadCheckpoint(folder)
    const sizes = Array.from(weights.values(), ({ data }) => Math.ceil((4 * data.length) / 32) * 32)
    let at = bytes.length - sizes.reduce((sum, size) => sum + size)
    expect(at % 32).toBe(0)
    for (const [index, [name, { data }]] of [...weights].entries()) {
      const stored = new Float32Array(bytes.buffer, bytes.byteOffset + at, data.length)
      at += sizes[index]!
      if (!/[qk]_proj/.test(name)) {
        expect(stored, name).toEqual(data)
        continue
      }
      // Heads are 4 wide: rows 0 1 2 3 become 0 2 1 3.
      const row = (of: ArrayLike<number>, i: number) => Array.from(of).slice(16 * i, 16 * i + 16)
      expect([0, 1, 2, 3].map((i) => row(stored, i))).toEqual([0, 2, 1, 3].map((i) => row(data, i)))
    }
  })
})
