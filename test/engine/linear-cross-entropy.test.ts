import { expect, it } from 'vitest'
import { createRandom } from '#base'
import * as engine from '#engine'

/** So large that the logits of 40 rows are cut into blocks. */
const VOCABULARY = 600_000
const ROWS = 40
const WIDTH = 2

const random = createRandom('head')
const normal = (shape: engine.Shape) =>
  engine.tensor(
    Float32Array.from({ length: engine.sizeOf(shape) }, () => random.normal()),
    shape,
  )

/** Loss and gradient by x, from a head in memory or in blocks. */
async function run(build: (x: engine.Node, w: engine.Node, targets: engine.Node) => engine.Node) {
  const x = engine.variable('x', [ROWS, WIDTH])
  const w = engine.weight('w', [VOCABULARY, WIDTH])
  const targets = engine.constant(
    Int32Array.from({ length: ROWS }, (_, row) => row * 14_000),
    [ROWS],
  )
  const nats = build(x, w, targets)
  const [slope] = engine.gradients(engine.sum(nats, undefined, { keepDims: false }), [x])
  const program = engine.createProgram({ outputs: { nats, slope: slope! } })
  const executor = engine.createExecutor('onnxruntime', { threads: 1 })
  const session = await executor.compile(program, { weights: new Map([['w', head]]) })
  await session.writeVariables(new Map([['x', states]]))
  const result = await session.run({})
  await session.close()
  return result as { nats: engine.Tensor; slope: engine.Tensor }
}

const head = normal([VOCABULARY, WIDTH])
const states = normal([ROWS, WIDTH])

it('gives by blocks of rows what whole logits give', async () => {
  const fused = await run(engine.linearCrossEntropy)
  const whole = await run((x, w, targets) => {
    const logs = engine.logSoftmax(engine.matmul(x, w, { transposeB: true }))
    const column = engine.reshape(targets, [ROWS, 1])
    return engine.negate(engine.reshape(engine.gatherLast(logs, column), [ROWS]))
  })
  expect(fused.nats.shape).toEqual([ROWS])
  for (const name of ['nats', 'slope'] as const)
    for (const [i, value] of fused[name].data.entries())
      expect(value).toBeCloseTo(whole[name].data[i]!, 4)
})

it('gives a large loss and a slope where the probability of a target is none in float32', async () => {
  const x = engine.variable('x', [1, 1])
  const w = engine.constant(Float32Array.of(1, -1), [2, 1])
  const nats = engine.linearCrossEntropy(x, w, engine.constant(Int32Array.of(1), [1]))
  const [slope] = engine.gradients(engine.sum(nats, undefined, { keepDims: false }), [x])
  const both = engine.createProgram({ outputs: { nats, slope: slope! } })
  const alone = engine.createProgram({ outputs: { nats } })
  const executor = engine.createExecutor('onnxruntime', { threads: 1 })
  const states = new Map([['x', engine.tensor(Float32Array.of(100), [1, 1])]])
  const results: Record<string, engine.Tensor>[] = []
  for (const program of [both, alone]) {
    const session = await executor.compile(program)
    await session.writeVariables(states)
    results.push(await session.run({}))
    await session.close()
  }
  expect(results[0]!.nats!.data[0]).toBeCloseTo(126 * Math.LN2, 3)
  expect(results[0]!.slope!.data[0]).toBeCloseTo(2, 5)
  expect(results[1]!.nats!.data[0]).toBeCloseTo(200, 3)
})
