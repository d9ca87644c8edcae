import { describe, expect, it } from 'vitest'
import {
  createExecutor,
  createProgram,
  gatherLast,
  gradients,
  input,
  logSoftmax,
  mean,
  type Node,
  negate,
  tensor,
  variable,
} from '#engine'
import { createScope, type Family, type HfConfig } from '#learning/models'
import { forward, largestDifference } from './forward.ts'
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
      const made = new Map<string, Node>()
      const scope = createScope((name, shape) => {
        const node = variable(name, shape)
        made.set(name, node)
        return node
      })
      const shape = [batch, LENGTH / batch]
      const grid = (name: string) => input(name, shape, 'int32')
      const { states } = model.hidden(
        { tokens: grid('tokens'), positions: grid('positions'), segments: grid('segments') },
        scope,
      )
      const targets = input('targets', [LENGTH, 1], 'int32')
      const loss = negate(mean(gatherLast(logSoftmax(model.logits(states, scope)), targets)))
      const names = [...made.keys()]
      const slopes = gradients(
        loss,
        names.map((name) => made.get(name)!),
      )
      const outputs = Object.fromEntries(names.map((name, i) => [name, slopes[i]!]))
      const executor = createExecutor('onnxruntime', { threads: 1 })
      const session = await executor.compile(createProgram({ outputs }))
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
