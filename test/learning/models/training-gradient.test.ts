import { expect, it } from 'vitest'
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
  type Tensor,
  tensor,
  variable,
} from '#engine'
import { createScope } from '#learning/models'
import { randomModel } from './random-model.ts'
import { FAMILIES, TINY } from './tiny-models.ts'

const TOKENS = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 0, 0]
const TARGETS = [1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 0, 0]
const POSITIONS = [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1]
const SEGMENTS = [1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 0, 0]
const STEP = 3e-3

it.each(FAMILIES)('%s: the gradient of a packed row says how the loss moves', async (family) => {
  const { model, weights } = randomModel(TINY[family], `gradient ${family}`)
  const leaves = new Map<string, Node>()
  const scope = createScope((name, shape) => {
    const node = variable(name, shape)
    leaves.set(name, node)
    return node
  })
  const grid = (name: string) => input(name, [1, TOKENS.length], 'int32')
  const { states } = model.hidden(
    { tokens: grid('tokens'), positions: grid('positions'), segments: grid('segments') },
    scope,
  )
  const logits = model.logits(states, scope)
  const targets = input('targets', [TOKENS.length, 1], 'int32')
  const loss = negate(mean(gatherLast(logSoftmax(logits), targets)))
  const names = [...leaves.keys()]
  const outputs: Record<string, Node> = { loss }
  for (const [i, gradient] of gradients(loss, [...leaves.values()]).entries())
    outputs[names[i]!] = gradient
  const executor = createExecutor('onnxruntime', { threads: 1 })
  const session = await executor.compile(createProgram({ outputs }))

  const row = (values: readonly number[]) => tensor(Int32Array.from(values), [1, values.length])
  const run = async (at: ReadonlyMap<string, Tensor>) => {
    await session.writeVariables(at)
    return session.run({
      tokens: row(TOKENS),
      positions: row(POSITIONS),
      segments: row(SEGMENTS),
      targets: tensor(Int32Array.from(TARGETS), [TARGETS.length, 1]),
    })
  }
  const here = await run(weights)
  // Each parameter apart, moved along its own gradient by a small step: the loss moves by the gradient's length.
  for (const name of names) {
    const gradient = here[name]!.data
    const length = Math.hypot(...gradient)
    expect(Number.isFinite(length)).toBe(true)
    if (length < 1e-3) continue
    const { data, shape } = weights.get(name)!
    const moved = (step: number) =>
      tensor(
        Float32Array.from(data, (x, i) => x + (step * gradient[i]!) / length),
        shape,
      )
    const up = await run(new Map(weights).set(name, moved(STEP)))
    const down = await run(new Map(weights).set(name, moved(-STEP)))
    const slope = (up.loss!.data[0]! - down.loss!.data[0]!) / (2 * STEP)
    expect(Math.abs(slope - length), name).toBeLessThan(2e-2 * length + 1e-3)
  }
  await session.close()
})
