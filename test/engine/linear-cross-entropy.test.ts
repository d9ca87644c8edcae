import { describe, expect, it } from 'vitest'
import { createRandom } from '#base'
import * as engine from '#engine'

/** So large that the logits of 40 rows are cut into blocks, of a frozen head by columns, of a trained one by rows. */
const VOCABULARY = 900_000
const ROWS = 40
const WIDTH = 2

const random = createRandom('head')
const normal = (shape: engine.Shape) =>
  engine.tensor(
    Float32Array.from({ length: engine.sizeOf(shape) }, () => random.normal()),
    shape,
  )
const head = normal([VOCABULARY, WIDTH])
const states = normal([ROWS, WIDTH])
const targetOf = (row: number) => row * 21_000

/** Loss and its gradient by x. */
async function run(
  operands: { readonly x: engine.Tensor; readonly w: engine.Tensor },
  frozen: boolean,
  targets: readonly number[],
) {
  const [rows, width] = operands.x.shape as [number, number]
  const x = engine.variable('x', [rows, width])
  const w = frozen ? engine.weight('w', operands.w.shape) : engine.variable('w', operands.w.shape)
  const ids = engine.constant(Int32Array.from(targets), [rows])
  const nats = engine.linearCrossEntropy(x, w, ids)
  const [slope] = engine.gradients(engine.sum(nats, undefined, { keepDims: false }), [x])
  const program = engine.createProgram({ outputs: { nats, slope: slope! } })
  const executor = engine.createExecutor('onnxruntime', { threads: 1 })
  const weights = new Map(frozen ? [['w', operands.w]] : [])
  const session = await executor.compile(program, { weights })
  const { w: trained, x: variable } = operands
  await session.writeVariables(
    new Map(Object.entries(frozen ? { x: variable } : { x: variable, w: trained })),
  )
  const result = await session.run({})
  await session.close()
  return result as { nats: engine.Tensor; slope: engine.Tensor }
}

/** In float64, row by row. */
function expected(row: number): { readonly nats: number; readonly slope: readonly number[] } {
  const x = states.data.slice(row * WIDTH, (row + 1) * WIDTH)
  const target = targetOf(row)
  const rowOf = (id: number) => [head.data[id * WIDTH]!, head.data[id * WIDTH + 1]!] as const
  const logit = (id: number) => rowOf(id).reduce((sum, value, i) => sum + value * x[i]!, 0)
  let total = 0
  const mean = [0, 0]
  for (let id = 0; id < VOCABULARY; id++) {
    const odds = Math.exp(logit(id))
    total += odds
    for (const [i, value] of rowOf(id).entries()) mean[i]! += odds * value
  }
  const slope = rowOf(target).map((value, i) => mean[i]! / total - value)
  return { nats: Math.log(total) - logit(target), slope }
}

describe.each([
  ['frozen', true],
  ['trained', false],
])('of a %s head', (_, frozen) => {
  it('gives by blocks what whole logits give', async () => {
    const targets = Array.from({ length: ROWS }, (_, row) => targetOf(row))
    const { nats, slope } = await run({ x: states, w: head }, frozen, targets)
    expect(nats.shape).toEqual([ROWS])
    for (let row = 0; row < ROWS; row += 13) {
      const truth = expected(row)
      expect(nats.data[row]! / truth.nats).toBeCloseTo(1, 5)
      for (const [i, value] of truth.slope.entries())
        expect(slope.data[row * WIDTH + i]).toBeCloseTo(value, 3)
    }
  })

  it('is exact where the probability of a target is none in float32', async () => {
    const x = engine.tensor(Float32Array.of(100), [1, 1])
    const w = engine.tensor(Float32Array.of(1, -1), [2, 1])
    const { nats, slope } = await run({ x, w }, frozen, [1])
    expect(nats.data[0]).toBeCloseTo(200, 3)
    expect(slope.data[0]).toBeCloseTo(2, 5)
  })
})
