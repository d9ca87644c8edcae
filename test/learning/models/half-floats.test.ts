import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import {
  bfloat16ToFloat32,
  float16ToFloat32,
  float32ToBfloat16,
  float32ToFloat16,
} from '../../../learning/models/half-floats.ts'
import { decodeSafetensors } from '../../../learning/models/safetensors.ts'
import { hasSharedCheckpoints, REASON, sharedCheckpoint } from './shared-checkpoints.ts'

const every16Bits = Uint16Array.from({ length: 65_536 }, (_, i) => i)

it('float16: known values', () => {
  const bits = Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x0001, 0x03ff, 0x8000, 0x7c00, 0x3555)
  const values = [1, -2, 65_504, 2 ** -24, 1023 * 2 ** -24, -0, Infinity, 0.333251953125]
  expect([...float16ToFloat32(bits)]).toEqual(values)
  expect(float32ToFloat16(Float32Array.from(values))).toEqual(bits)
})

it('float16: every bit pattern survives the way to float32 and back', () => {
  const back = float32ToFloat16(float16ToFloat32(every16Bits))
  for (const bits of every16Bits) {
    const isNaN16 = (bits & 0x7c00) === 0x7c00 && (bits & 0x3ff) !== 0
    if (isNaN16) expect(back[bits]! & 0x7fff).toBe(0x7e00)
    else if (back[bits] !== bits) expect(back[bits]).toBe(bits)
  }
})

it('float16: rounds to nearest, ties to even, overflows to infinity', () => {
  const ties = Float32Array.of(2049, 2051, 65_519, 65_520, 2 ** -25, 1.5 * 2 ** -25, 1e-10, -1e9)
  expect([...float16ToFloat32(float32ToFloat16(ties))]).toEqual([
    2048,
    2052,
    65_504,
    Infinity,
    0,
    2 ** -24,
    0,
    -Infinity,
  ])
})

it('bfloat16: every bit pattern survives, rounding is to nearest even', () => {
  const back = float32ToBfloat16(bfloat16ToFloat32(every16Bits))
  for (const bits of every16Bits) {
    const isNaN16 = (bits & 0x7f80) === 0x7f80 && (bits & 0x7f) !== 0
    if (!isNaN16 && back[bits] !== bits) expect(back[bits]).toBe(bits)
  }
  // 1 + 2^-8 lies between 1 and 1 + 2^-7; 1 + 3 * 2^-8 between 1 + 2^-7 and 1 + 2^-6.
  const ties = Float32Array.of(1 + 2 ** -8, 1 + 3 * 2 ** -8, 3.4e38, Number.NaN)
  expect([...bfloat16ToFloat32(float32ToBfloat16(ties))]).toEqual([
    1,
    1 + 2 ** -6,
    Infinity,
    Number.NaN,
  ])
})

it.skipIf(!hasSharedCheckpoints)(`agrees with recorded conversions${REASON}`, () => {
  const bytes = readFileSync(sharedCheckpoint('dtypes', 'model.safetensors'))
  const tensors = decodeSafetensors(bytes, 'dtypes')
  for (const format of ['f16', 'bf16']) {
    const ours = tensors.get(format)!.data
    const recorded = tensors.get(`${format}_as_f32`)!.data
    expect(ours.length).toBe(recorded.length)
    for (let i = 0; i < ours.length; i++)
      if (!Object.is(ours[i], recorded[i])) expect([format, i, ours[i]]).toBe(recorded[i])
  }
})
