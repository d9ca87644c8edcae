import { describe, expect, it } from 'vitest'
import { forward, largestDifference } from './forward.ts'
import { randomModel } from './random-model.ts'
import { FAMILIES, TINY } from './tiny-models.ts'

const FIRST = [3, 1, 4, 1, 5]
const SECOND = [9, 2, 6]

describe.each(FAMILIES)('%s', (family) => {
  const { model, weights } = randomModel(TINY[family], `packing ${family}`)

  it('keeps examples that share a row apart, and padding finite', async () => {
    const [first] = await forward({ model, weights, tokens: [FIRST] })
    const [second] = await forward({ model, weights, tokens: [SECOND] })
    const [packed, padded] = await forward({
      model,
      weights,
      tokens: [
        [...FIRST, ...SECOND, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
      ],
      positions: [
        [0, 1, 2, 3, 4, 0, 1, 2, 0, 1],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
      ],
      segments: [
        [1, 1, 1, 1, 1, 2, 2, 2, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
      ],
    })
    for (const [i, alone] of [...first!, ...second!].entries())
      expect(largestDifference(packed![i]!, alone)).toBeLessThan(1e-5)
    for (const row of [...packed!.slice(8), ...padded!])
      expect(row.every(Number.isFinite)).toBe(true)
    // The test can fail: without segments the second example would see the first.
    const [mixed] = await forward({ model, weights, tokens: [[...FIRST, ...SECOND]] })
    expect(largestDifference(mixed![7]!, second![2]!)).toBeGreaterThan(1e-2)
  })

  it('never looks ahead', async () => {
    const [a] = await forward({ model, weights, tokens: [[...FIRST, 7]] })
    const [b] = await forward({ model, weights, tokens: [[...FIRST, 8]] })
    for (const i of FIRST.keys()) expect(largestDifference(a![i]!, b![i]!)).toBeLessThan(1e-6)
    expect(largestDifference(a![5]!, b![5]!)).toBeGreaterThan(1e-2)
  })
})
