import { describe, expect, it } from 'vitest'
import { createRandom } from '#base'
import { createExecutor, type Tensor, tensor } from '#engine'
import type { PackedBatch } from '#learning/data'
import { createAdapter, type LoraSpec, toLeaves, withAdapters } from '#learning/lora'
import { type CausalModel, createScope } from '#learning/models'
import { TrainStep } from '#learning/train'
import { lossAndGradients } from './loss-and-gradients.ts'
import { randomModel } from './random-model.ts'
import { FAMILIES, TINY } from './tiny-models.ts'

const TOKENS = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 0, 0]
const TARGETS = [1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 0, 0]
const POSITIONS = [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1]
const SEGMENTS = [1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 0, 0]
const LENGTH = TOKENS.length
const DIFFERENCE = 3e-3

/** An adapter on every linear layer, joint projections included, of which neither half is zero. */
function adapterOf(model: CausalModel, seed: string) {
  const spec: LoraSpec = { rank: 2, alpha: 4, targets: model.linears.map(({ name }) => name) }
  const random = createRandom(seed)
  const values = new Map<string, Tensor>()
  for (const [name, { shape, data }] of createAdapter(model, spec, random))
    values.set(
      name,
      tensor(
        Float32Array.from(data, () => 0.3 * random.normal()),
        shape,
      ),
    )
  return { spec, leaves: toLeaves('own', values) }
}

describe.each(FAMILIES)('%s', (family) => {
  const { model, weights } = randomModel(TINY[family], `gradient ${family}`)
  const { spec, leaves } = adapterOf(model, `adapter ${family}`)
  const values = new Map([...weights, ...leaves])

  it('the gradient of a packed row says how the loss moves, by parameters and adapters', async () => {
    const { program, names } = lossAndGradients(model, [1, LENGTH], (make) =>
      withAdapters(createScope(make), model, [{ name: 'own', spec }], make),
    )
    expect([...names].sort()).toEqual([...values.keys()].sort())
    const session = await createExecutor('onnxruntime', { threads: 1 }).compile(program)

    const row = (ids: readonly number[]) => tensor(Int32Array.from(ids), [1, LENGTH])
    const run = () =>
      session.run({
        tokens: row(TOKENS),
        positions: row(POSITIONS),
        segments: row(SEGMENTS),
        targets: tensor(Int32Array.from(TARGETS), [LENGTH, 1]),
      })
    await session.writeVariables(values)
    const here = await run()
    // Each parameter apart, moved along its own gradient by a small step: the loss moves by the gradient's length.
    for (const name of names) {
      const gradient = here[name]!.data
      const length = Math.hypot(...gradient)
      expect(Number.isFinite(length)).toBe(true)
      if (length < 1e-3) continue
      const { data, shape } = values.get(name)!
      const lossAt = async (step: number) => {
        const moved = Float32Array.from(data, (x, i) => x + (step * gradient[i]!) / length)
        await session.writeVariables(new Map([[name, tensor(moved, shape)]]))
        return (await run()).loss!.data[0]!
      }
      const slope = ((await lossAt(DIFFERENCE)) - (await lossAt(-DIFFERENCE))) / (2 * DIFFERENCE)
      await session.writeVariables(new Map([[name, values.get(name)!]]))
      expect(Math.abs(slope - length), name).toBeLessThan(2e-2 * length + 1e-3)
    }
    await session.close()
  })

  it('a step of full training and adapters is the same in both executors', async () => {
    const batch: PackedBatch = {
      tokens: Int32Array.from(TOKENS),
      positions: Int32Array.from(POSITIONS),
      segments: Int32Array.from(SEGMENTS),
      rows: Int32Array.from(TOKENS.keys()),
      targets: Int32Array.from(TARGETS),
      rowWeight: Float32Array.from(SEGMENTS, (segment) => (segment > 0 ? 1 : 0)),
      rowExample: Int32Array.from(SEGMENTS, (segment) => Math.max(0, segment - 1)),
      exampleBytes: Float32Array.of(5, 5),
      encoded: [],
      exampleIndex: [0, 1],
      firstRow: [0, 5],
      tokenCount: 10,
    }
    const adapters = [{ name: 'own', spec, trained: true }]
    const train = async (name: 'onnxruntime' | 'tensorflow') => {
      const step = await TrainStep.create({
        trainee: { model, weights, base: 'trained', adapters },
        executor: createExecutor(name, { threads: 1 }),
        shape: { batch: 1, length: LENGTH, rows: LENGTH, examples: 2 },
      })
      await step.write(values)
      const results = [await step.run(batch, 1e-3), await step.run(batch, 1e-3)]
      await step.close()
      return results.map(({ loss, gradientNorm }) => [loss, gradientNorm])
    }
    const [ours, theirs] = [await train('onnxruntime'), await train('tensorflow')]
    expect(ours[1]![0]).toBeLessThan(ours[0]![0]!)
    for (const [i, [loss, norm]] of ours.entries()) {
      expect(Math.abs(loss! - theirs[i]![0]!)).toBeLessThan(1e-4 * loss!)
      expect(Math.abs(norm! - theirs[i]![1]!)).toBeLessThan(1e-3 * norm!)
    }
  })
})
