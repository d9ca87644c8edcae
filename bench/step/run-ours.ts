import * as engine from '#engine'
import { buildStep, stepFeeds } from './ours.ts'
import { serveSteps } from './serve-steps.ts'
import { STEP_SHAPE } from './shape.ts'

/** A contender: our engine. Arguments: threads. */

const MATMUL_SIZE = 1_024
const MATMUL_REPEATS = 5

const executor = engine.createExecutor('onnxruntime', {
  threads: Number(process.argv[2]),
  spin: true,
})
const { program, weights, variables } = buildStep(STEP_SHAPE)
const session = await executor.compile(program, { weights })
await session.writeVariables(variables)
const rows = STEP_SHAPE.batch * STEP_SHAPE.length
const { tokens, labels } = stepFeeds(STEP_SHAPE)
const feeds = {
  tokens: engine.tensor(tokens, [rows]),
  labels: engine.tensor(labels, [rows, 1]),
  learningRate: engine.tensor(Float32Array.of(1e-3), []),
}

const matmul = await openMatmul()

await serveSteps(async () => (await session.run(feeds)).loss?.data[0] ?? Number.NaN, matmul)

/** Measures one large product by a frozen matrix: what the machine gives at best. */
async function openMatmul(): Promise<() => Promise<{ readonly matmulGflops: number }>> {
  const shape = [MATMUL_SIZE, MATMUL_SIZE]
  const ones = engine.tensor(new Float32Array(MATMUL_SIZE ** 2).fill(1), shape)
  const product = engine.matmul(engine.input('x', shape), engine.weight('w', shape))
  // One row is returned: the copy of all would count.
  const outputs = { row: engine.slice(product, 0, 0, 1) }
  const large = await executor.compile(engine.createProgram({ outputs }), {
    weights: new Map([['w', ones]]),
  })
  await large.run({ x: ones })
  return async () => {
    const seconds: number[] = []
    for (let i = 0; i < MATMUL_REPEATS; i++) {
      const start = performance.now()
      await large.run({ x: ones })
      seconds.push((performance.now() - start) / 1_000)
    }
    return { matmulGflops: (2 * MATMUL_SIZE ** 3) / Math.min(...seconds) / 1e9 }
  }
}
