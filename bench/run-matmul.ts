import * as engine from '#engine'
import { secondsSince, serve } from './serve.ts'

/** A contender: one large product by a frozen matrix in ONNX Runtime, what the machine gives. Its unit is one product. */
const { threads, size } = JSON.parse(process.argv[2]!) as { threads: number; size: number }
const executor = engine.createExecutor('onnxruntime', { threads, spin: true })
const shape = [size, size]
const ones = engine.tensor(new Float32Array(size ** 2).fill(1), shape)
const product = engine.matmul(engine.input('x', shape), engine.weight('w', shape))
// One row is returned: the copy of all would count.
const program = engine.createProgram({ outputs: { row: engine.slice(product, 0, 0, 1) } })
const session = await executor.compile(program, { weights: new Map([['w', ones]]) })

async function time(): Promise<number> {
  const start = performance.now()
  await session.run({ x: ones })
  return secondsSince(start)
}

await time()
const work = async (units: number) => {
  let seconds = 0
  let bestSeconds = Number.POSITIVE_INFINITY
  for (let i = 0; i < units; i++) {
    const taken = await time()
    seconds += taken / units
    bestSeconds = Math.min(bestSeconds, taken)
  }
  return { seconds, bestSeconds }
}
await serve({ seconds: await time() }, { wake: time, work })
