import { describe, expect, it } from 'vitest'
import * as engine from '#engine'

const executor = engine.createExecutor('onnxruntime', { threads: 1 })

async function evaluate(outputs: Record<string, engine.Node>, feeds = {}) {
  const session = await executor.compile(engine.createProgram({ outputs }))
  const result = await session.run(feeds)
  await session.close()
  return result
}

describe('gradients', () => {
  it('adds up what reaches a node by several ways', async () => {
    const x = engine.input('x', [2])
    const loss = engine.sum(engine.add(engine.multiply(x, x), engine.exp(x)))
    const [gradient] = engine.gradients(loss, [x])
    if (!gradient) throw new Error('no gradient')
    const { g } = await evaluate({ g: gradient }, { x: engine.tensor(Float32Array.of(0, 1), [2]) })
    expect(g?.data[0]).toBeCloseTo(1, 5)
    expect(g?.data[1]).toBeCloseTo(2 + Math.E, 5)
  })

  it('is zeros where the loss does not depend on the node, or only behind stopGradient', async () => {
    const x = engine.constant(Float32Array.of(1, 2), [2])
    const other = engine.constant(Float32Array.of(3), [1])
    const loss = engine.sum(engine.multiply(engine.stopGradient(x), engine.scalar(2)))
    const [a, b] = engine.gradients(loss, [x, other])
    if (!a || !b) throw new Error('no gradient')
    const result = await evaluate({ a, b })
    expect([...(result.a?.data ?? [])]).toEqual([0, 0])
    expect([...(result.b?.data ?? [])]).toEqual([0])
  })

  it('goes only through nodes that depend on what is asked for', () => {
    const x = engine.variable('x', [4, 4])
    const frozen = engine.weight('frozen', [4, 4])
    const loss = engine.sum(engine.matmul(engine.matmul(x, frozen), engine.exp(frozen)))
    const [gradient] = engine.gradients(loss, [x])
    if (!gradient) throw new Error('no gradient')
    const program = engine.createProgram({ outputs: { gradient } })
    const products = program.nodes.filter(({ operator }) => operator === 'matmul')
    expect(products).toHaveLength(2)
  })

  it('flattens the batch where it shares one matrix', () => {
    const x = engine.input('x', [8, 16, 4])
    const w = engine.variable('w', [3, 4])
    const [gradient] = engine.gradients(engine.sum(engine.matmul(x, w, { transposeB: true })), [w])
    expect(gradient?.operator).toBe('matmul')
    expect(gradient?.inputs.map(({ shape }) => shape)).toEqual([
      [128, 3],
      [128, 4],
    ])
  })

  it('adds what comes through a normalisation to the residual stream in two passes', async () => {
    const w = engine.constant(Float32Array.of(2, -1, 0.5), [3])
    const build = (x: engine.Node, read: engine.Node) =>
      engine.sum(engine.square(engine.add(x, engine.rmsNorm(read, w, 1e-5))))
    const data = Float32Array.of(1, -2, 3, 0.5, 4, -1)
    const [x, read] = [engine.constant(data, [2, 3]), engine.constant(data, [2, 3])]
    const [whole] = engine.gradients(build(x, x), [x])
    const program = engine.createProgram({ outputs: { whole: whole! } })
    const count = (name: engine.Operator) =>
      program.nodes.filter(({ operator }) => operator === name).length
    expect(count('addScaled')).toBe(2)
    expect(count('subtract')).toBe(0)

    const [past, through] = engine.gradients(build(x, read), [x, read])
    const values = await evaluate({ whole: whole!, parts: engine.add(past!, through!) })
    for (const [i, value] of values.whole!.data.entries())
      expect(value).toBeCloseTo(values.parts!.data[i]!, 5)
  })

  it('joins the gradients of slices that make up the whole, and adds those of others', async () => {
    const x = engine.variable('x', [2, 6])
    const gradientOf = async (cuts: readonly (readonly [number, number])[]) => {
      const losses = cuts.map(([start, end], i) =>
        engine.sum(engine.multiply(engine.slice(x, 1, start, end), engine.scalar(i + 1))),
      )
      const [gradient] = engine.gradients(losses.reduce(engine.add), [x])
      const { g } = await evaluate({ g: gradient! })
      return { operator: gradient!.operator, row: [...g!.data.slice(0, 6)] }
    }
    const parts = [
      [2, 3],
      [0, 2],
      [3, 6],
    ] as const
    expect(await gradientOf(parts)).toEqual({ operator: 'concat', row: [2, 2, 1, 3, 3, 3] })
    const overlapping = [...parts, [1, 4]] as const
    expect(await gradientOf(overlapping)).toEqual({ operator: 'add', row: [2, 6, 5, 7, 3, 3] })
    const gap = await gradientOf(parts.slice(0, 2))
    expect(gap).toEqual({ operator: 'add', row: [2, 2, 1, 0, 0, 0] })
  })

  it('multiplies by ones and zeros for a gather from a small table', async () => {
    const table = engine.variable('table', [4, 2])
    const rows = engine.gather(table, engine.constant(Int32Array.of(2, 0, 2), [3]))
    const weights = engine.constant(Float32Array.of(1, 2, 3, 4, 5, 6), [3, 2])
    const [gradient] = engine.gradients(engine.sum(engine.multiply(rows, weights)), [table])
    if (!gradient) throw new Error('no gradient')
    const { nodes } = engine.createProgram({ outputs: { gradient } })
    expect(nodes.map(({ operator }) => operator)).not.toContain('scatterAdd')
    const { g } = await evaluate({ g: gradient })
    expect([...(g?.data ?? [])]).toEqual([3, 4, 0, 0, 6, 8, 0, 0])
  })

  it('scatters once what several gathers take from one large table', async () => {
    const table = engine.variable('table', [4_096, 1])
    const taken = [[2, 0, 2], [2]].map((ids, i) =>
      engine.multiply(
        engine.gather(table, engine.constant(Int32Array.from(ids), [ids.length])),
        engine.scalar(i + 1),
      ),
    )
    const loss = engine.add(
      ...(taken.map((rows) => engine.sum(rows)) as [engine.Node, engine.Node]),
    )
    const [gradient] = engine.gradients(loss, [table])
    if (!gradient) throw new Error('no gradient')
    expect(gradient.operator).toBe('scatterAdd')
    const { g } = await evaluate({ g: gradient })
    expect([...(g?.data.slice(0, 4) ?? [])]).toEqual([1, 0, 4, 0])
  })

  it('refuses a loss that is not one number', () => {
    const x = engine.input('x', [2])
    expect(() => engine.gradients(x, [x])).toThrow(
      expect.objectContaining({ code: 'ENGINE_LOSS_NOT_SCALAR' }),
    )
  })
})

describe('scatterAdd', () => {
  // ONNX Runtime's ScatterND loses updates here: it adds rows on several threads.
  it('loses no update where ids repeat and threads share the work', async () => {
    const [count, width, rows, repeats] = [3_072, 256, 3, 20]
    const ids = engine.input('ids', [count], 'int32')
    const y = engine.scatterAdd(rows, ids, engine.expand(engine.scalar(1), [count, width]))
    const threaded = engine.createExecutor('onnxruntime', { threads: 8 })
    const session = await threaded.compile(engine.createProgram({ outputs: { y } }))
    const feed = engine.tensor(
      Int32Array.from({ length: count }, (_, i) => i % rows),
      [count],
    )
    for (let i = 0; i < repeats; i++) {
      const result = await session.run({ ids: feed })
      expect(new Set(result.y?.data)).toEqual(new Set([count / rows]))
    }
    await session.close()
  })
})
