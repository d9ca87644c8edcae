import { createRandom } from '#base'
import { createExecutor, type Recompute } from '#engine'
import type { PackedBatch } from '#learning/data'
import { createAdapter, toLeaves } from '#learning/lora'
import { type BasePrecision, openFrozenBase } from '#learning/models'
import { TrainStep } from '#learning/train'

/** Arguments: folder, cache, precision, recomputation, `prepare` or `train`. Prints the peak of its memory in bytes. */
const [folder = '', cache = '', precision, recompute, task] = process.argv.slice(2)
const shape = { batch: 4, length: 128, rows: 512, examples: 4 }

const { model, weights } = await openFrozenBase(folder, {
  cache,
  precision: precision as BasePrecision,
})
if (task === 'train') {
  const spec = { rank: 8, alpha: 16, targets: model.linears.map(({ name }) => name) }
  const step = await TrainStep.create({
    trainee: { model, weights, base: 'frozen', adapters: [{ name: 'a', spec, trained: true }] },
    executor: createExecutor('onnxruntime', { threads: 2 }),
    shape,
    recompute: recompute as Recompute,
  })
  await step.write(toLeaves('a', createAdapter(model, spec, createRandom('a'))))
  for (let i = 0; i < 3; i++) await step.run(batch(), 1e-3)
  await step.close()
}
console.log(process.resourceUsage().maxRSS * 1_024)

function batch(): PackedBatch {
  const tokens = Int32Array.from({ length: shape.rows + 1 }, (_, i) => (i * 7_919) % 8_192)
  const rows = Int32Array.from({ length: shape.rows }, (_, i) => i)
  return {
    tokens: tokens.slice(0, -1),
    positions: rows.map((row) => row % shape.length),
    segments: rows.map(() => 1),
    rows,
    targets: tokens.slice(1),
    rowWeight: new Float32Array(shape.rows).fill(1),
    rowExample: rows.map((row) => Math.floor(row / shape.length)),
    exampleBytes: new Float32Array(shape.batch).fill(shape.length),
    encoded: [],
    exampleIndex: [],
    firstRow: [],
    tokenCount: shape.rows,
  }
}
