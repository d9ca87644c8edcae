import { readFileSync } from 'node:fs'
import { createRandom } from '#base'
import { createExecutor, type Recompute } from '#engine'
import type { PackedBatch } from '#learning/data'
import { createAdapter, toLeaves } from '#learning/lora'
import { type BasePrecision, openFrozenBase } from '#learning/models'
import { ForwardPass, type Lesson, type TeacherShape, TrainStep } from '#learning/train'

/**
 * Arguments: folder, cache, precision, recomputation, `packed` or `mapped`, `prepare` or `train`, the shape of a teacher as JSON.
 * Prints the peak of its memory in bytes.
 */
const [folder = '', cache = '', ...settings] = process.argv.slice(2)
const [precision, recompute, weightsAre, task, taught] = settings
const shape = { batch: 4, length: 128, rows: 512, examples: 4 }
const teacher = taught === undefined ? undefined : (JSON.parse(taught) as TeacherShape)

const { model, weights } = await openFrozenBase(folder, {
  cache,
  precision: precision as BasePrecision,
})
const vocabulary = model.config.vocabularySize
if (task === 'train') {
  const spec = { rank: 8, alpha: 16, targets: model.linears.map(({ name }) => name) }
  const adapters = [{ name: 'a', spec, trained: true }]
  const common = {
    trainee: { model, weights, base: 'frozen' as const, adapters },
    executor: createExecutor('onnxruntime', { threads: 2 }),
    shape,
    ...(teacher ? { teacher } : {}),
  }
  const step = await TrainStep.create({
    ...common,
    recompute: recompute as Recompute,
    packWeights: weightsAre === 'packed',
  })
  const pass = teacher && (await ForwardPass.create(common))
  const leaves = toLeaves('a', createAdapter(model, spec, createRandom('a')))
  await step.write(leaves)
  await pass?.write(leaves)
  for (let i = 0; i < 3; i++) {
    await pass?.run(batch())
    await step.run(batch(), 1e-3, teacher && lesson(teacher))
  }
  console.log(process.resourceUsage().maxRSS * 1_024 - countedTwice())
  await step.close()
  await pass?.close()
}

/** Bytes of weights that two sessions map: there once, but in the peak twice. */
function countedTwice(): number {
  let bytes = 0
  let isWeights = false
  for (const line of readFileSync('/proc/self/smaps', 'utf8').split('\n')) {
    if (/^[0-9a-f]+-/.test(line)) isWeights = line.includes(folder) || line.includes(cache)
    const [, name, kilobytes] = /^(Rss|Pss): +(\d+) kB/.exec(line) ?? []
    if (isWeights && name !== undefined)
      bytes += (name === 'Rss' ? 1_024 : -1_024) * Number(kilobytes)
  }
  return bytes
}

function lesson({ topK, entries }: TeacherShape): Lesson {
  const perRow = entries / shape.rows
  const numbers = Int32Array.from({ length: entries }, (_, i) => i)
  return {
    targets: {
      flatIndex: numbers.map((i) => Math.floor(i / perRow) * vocabulary + (i % vocabulary)),
      weight: new Float32Array(entries).fill(topK / perRow),
      slot: numbers.map((i) => Math.floor((i * topK) / perRow)),
      teacher: new Float32Array(shape.rows * topK).fill(0.5 / topK),
      tail: new Float32Array(shape.rows).fill(0.5),
      rowWeight: new Float32Array(shape.rows).fill(1),
      dropped: 0,
    },
    teacherNatsPerByte: new Float32Array(shape.examples),
    kdWeight: 0.5,
  }
}

function batch(): PackedBatch {
  const tokens = Int32Array.from({ length: shape.rows + 1 }, (_, i) => (i * 7_919) % vocabulary)
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
