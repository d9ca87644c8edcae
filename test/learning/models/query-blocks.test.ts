import { describe, expect, it } from 'vitest'
import { createExecutor, tensor } from '#engine'
import type { Family, HfConfig } from '#learning/models'
import { forward, largestDifference } from './forward.ts'
import { lossAndGradients } from './loss-and-gradients.ts'
import { plainForward } from './plain-forward.ts'
import { randomModel } from './random-model.ts'
import { TINY } from './tiny-models.ts'

/** Rows of three blocks, of which the last is shorter. */
const LENGTH = 600
const IDS = Array.from({ length: LENGTH }, (_, i) => (i * i * 7 + 3 * i) % 22)

const LONG: readonly (readonly [Family, HfConfig])[] = [
  ['llama', { ...TINY.llama, max_position_embeddings: LENGTH }],
  // A window that ends within the block before.
  ['mistral', { ...TINY.mistral, max_position_embeddings: LENGTH, sliding_window: 150 }],
  ['gemma2', { ...TINY.gemma2, max_position_embeddings: LENGTH, sliding_window: 300 }],
  ['bloom', TINY.bloom],
]

describe.each(LONG)('a row of several blocks of queries: %s', (family, config) => {
  const { model, weights } = randomModel(config, `blocks ${family}`)

  it('equals the twin, which knows of no blocks', async () => {
    const [rows] = await forward({ model, weights, tokens: [IDS] })
    const expected = plainForward(config, weights, IDS)
    const scale = Math.max(1, ...expected.map((row) => Math.max(...row.map(Math.abs))))
    for (const [i, row] of expected.entries())
      expect(largestDifference(rows![i]!, row) / scale).toBeLessThan(2e-5)
  })

  it('has the gradient of its examples in rows of their own, of one block each', async () => {
    const examples = 4
    const packed = await gradientOf(1, (token) => Math.floor((token * examples) / LENGTH))
    const apart = await gradientOf(examples, () => 1)
    expect(packed.size).toBe(weights.size)
    for (const [name, values] of packed) {
      const scale = Math.max(...values.map(Math.abs))
      expect(largestDifference(values, apart.get(name)!)).toBeLessThan(1e-4 * scale + 1e-7)
    }

    /** By parameter: the gradient of the mean loss of all tokens, laid out in `batch` rows. */
    async function gradientOf(batch: number, segmentOf: (token: number) => number) {
      const shape = [batch, LENGTH / batch] as const
      const { program, names } = lossAndGradients(model, shape)
      const session = await createExecutor('onnxruntime', { threads: 1 }).compile(program)
      await session.writeVariables(weights)
      const ids = (of: (token: number) => number, dimensions: readonly number[]) =>
        tensor(
          Int32Array.from({ length: LENGTH }, (_, i) => of(i)),
          dimensions,
        )
      const found = await session.run({
        tokens: ids((i) => IDS[i]!, shape),
        positions: ids((i) => i % (LENGTH / examples), shape),
        segments: ids(segmentOf, shape),
        targets: ids((i) => IDS[(i + 1) % LENGTH]!, [LENGTH, 1]),
      })
      await session.close()
      return new Map(names.map((name) => [name, [...found[name]!.data]]))
    }
  })
})
