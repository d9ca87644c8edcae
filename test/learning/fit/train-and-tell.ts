import { readFileSync } from 'node:fs'
import { createRandom } from '#base'
import { allInMemory, createExecutor } from '#engine'
import type { PackedBatch } from '#learning/data'
import type { StepSettings } from '#learning/fit'
import { createAdapter, toLeaves } from '#learning/lora'
import { openFrozenBase } from '#learning/models'
import { ForwardPass, type Lesson, type TeacherShape, TrainStep } from '#learning/train'

/** The argument, as JSON, of a process that trains as a learner does and prints the peak of its memory in bytes. */
export interface Told extends StepSettings {
  readonly folder: string
  readonly cache: string
  /** Only prepares the base, which takes memory of its own, once. */
  readonly prepares?: boolean
}

/** Each is a step, or all together are one. */
const BATCHES = 3

const told = JSON.parse(process.argv[2]!) as Told
const { folder, cache, shape, teacher, train, accumulate, rank } = told
const { model, weights } = await openFrozenBase(folder, { cache, precision: told.precision })
const vocabulary = model.config.vocabularySize
if (!told.prepares) {
  const spec = { rank, alpha: 2 * rank, targets: model.linears.map(({ name }) => name) }
  const isFull = train === 'full'
  const trainee = { model, weights, adapters: isFull ? [] : [{ name: 'a', spec, trained: true }] }
  const common = {
    executor: createExecutor('onnxruntime', { threads: 2 }),
    shape,
    ...(teacher ? { teacher } : {}),
  }
  const step = await TrainStep.create({
    ...common,
    trainee: { ...trainee, base: isFull ? 'trained' : 'frozen' },
    recompute: told.recompute,
    packWeights: told.packWeights === true,
    accumulate,
  })
  const pass =
    teacher &&
    (await ForwardPass.create({
      ...common,
      trainee: { ...trainee, base: isFull ? 'live' : 'frozen' },
    }))
  const beginning = () =>
    isFull ? allInMemory(weights) : toLeaves('a', createAdapter(model, spec, createRandom('a')))
  // A round of mutual learning is given what the device learnt before, and holds it to the end.
  const held = teacher && new Map(beginning())
  await step.write(held ?? beginning())
  for (let i = 0; i < BATCHES; i++) {
    if (i === 0 || !accumulate) await pass?.write(await step.read())
    await pass?.run(batch())
    await step.run(batch(), 1e-3, teacher && lesson(teacher), {
      share: accumulate ? 1 / BATCHES : 1,
      applies: !accumulate || i === BATCHES - 1,
    })
  }
  console.log(process.resourceUsage().maxRSS * 1_024 - countedTwice())
  await step.close()
  await pass?.close()
  held?.clear()
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
