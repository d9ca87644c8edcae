import { expect, it } from 'vitest'
import { createRandom } from '#base'
import * as engine from '#engine'

const random = createRandom('merge')
const normal = (shape: engine.Shape) =>
  engine.tensor(
    Float32Array.from({ length: engine.sizeOf(shape) }, () => random.normal()),
    shape,
  )

/** Two adapters on one input, the second also on what the first gives. */
function build() {
  const x = engine.input('x', [5, 6])
  const a1 = engine.variable('a1', [2, 6])
  const a2 = engine.variable('a2', [3, 6])
  const b = engine.variable('b', [6, 2])
  const low1 = engine.matmul(x, a1, { transposeB: true })
  const low2 = engine.matmul(x, a2, { transposeB: true })
  const y = engine.matmul(engine.tanh(low1), b, { transposeB: true })
  const low3 = engine.matmul(y, a2, { transposeB: true })
  const scalarOf = (node: engine.Node) =>
    engine.sum(engine.square(node), undefined, { keepDims: false })
  const loss = engine.add(scalarOf(low2), scalarOf(low3))
  return { outputs: { loss, low1 }, wrt: [a1, a2, b] }
}

const values = new Map([
  ['a1', normal([2, 6])],
  ['a2', normal([3, 6])],
  ['b', normal([6, 2])],
])
const feeds = { x: normal([5, 6]) }

async function run(outputs: Readonly<Record<string, engine.Node>>) {
  const program = engine.createProgram({ outputs })
  const session = await engine.createExecutor('onnxruntime', { threads: 1 }).compile(program)
  await session.writeVariables(values)
  const result = await session.run(feeds)
  await session.close()
  return { program, result }
}

it('joins narrow products of one input and changes no value and no gradient', async () => {
  const { outputs, wrt } = build()
  const merged = engine.mergeProducts(outputs)
  const withGradients = (roots: typeof outputs) => ({
    ...roots,
    ...Object.fromEntries(engine.gradients(roots.loss, wrt).map((node, i) => [`g${i}`, node])),
  })
  const plain = await run(withGradients(outputs))
  const joined = await run(withGradients(merged))
  const products = (program: engine.Program) =>
    program.nodes.filter(({ operator }) => operator === 'matmul').length
  expect(products(joined.program)).toBeLessThan(products(plain.program))
  for (const [name, { data }] of Object.entries(plain.result))
    for (const [i, value] of data.entries())
      expect(joined.result[name]!.data[i]).toBeCloseTo(value, 3)
})

it('leaves products alone whose right operand is computed', () => {
  const x = engine.input('x', [5, 6])
  const a = engine.variable('a', [2, 6])
  const one = engine.matmul(x, engine.tanh(a), { transposeB: true })
  const two = engine.matmul(x, a, { transposeB: true })
  expect(engine.mergeProducts({ one, two })).toEqual({ one, two })
})
