import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
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

interface Operands {
  readonly x: engine.Tensor
  readonly w: engine.WeightValue
}

/** Loss and its gradient by x. */
async function run({ x: states, w: head }: Operands, frozen: boolean, targets: readonly number[]) {
  const [rows, width] = states.shape as [number, number]
  const x = engine.variable('x', [rows, width])
  const format = head.dtype === 'blocks' ? head.format : 'float32'
  const w = frozen ? engine.weight('w', head.shape, format) : engine.variable('w', head.shape)
  const ids = engine.constant(Int32Array.from(targets), [rows])
  const nats = engine.linearCrossEntropy(x, w, ids)
  const [slope] = engine.gradients(engine.sum(nats, undefined, { keepDims: false }), [x])
  const program = engine.createProgram({ outputs: { nats, slope: slope! } })
  const executor = engine.createExecutor('onnxruntime', { threads: 1 })
  const weights = new Map(frozen ? [['w', head]] : [])
  const session = await executor.compile(program, { weights })
  const trained = frozen ? {} : { w: engine.inMemory(head) }
  await session.writeVariables(new Map(Object.entries({ x: states, ...trained })))
  const result = await session.run({})
  await session.close()
  return result as { nats: engine.Tensor; slope: engine.Tensor }
}

/** Of one row, in float64. */
function expected(
  x: engine.Tensor,
  w: engine.Tensor,
  row: number,
  target: number,
): { readonly nats: number; readonly slope: readonly number[] } {
  const [vocabulary, width] = w.shape as [number, number]
  const rowOf = (tensor: engine.Tensor, at: number) => [
    ...tensor.data.subarray(at * width, (at + 1) * width),
  ]
  const state = rowOf(x, row)
  const logit = (id: number) => {
    let sum = 0
    for (let i = 0; i < width; i++) sum += w.data[id * width + i]! * state[i]!
    return sum
  }
  let total = 0
  const mean = new Array<number>(width).fill(0)
  for (let id = 0; id < vocabulary; id++) {
    const odds = Math.exp(logit(id))
    total += odds
    for (let i = 0; i < width; i++) mean[i]! += odds * w.data[id * width + i]!
  }
  const slope = rowOf(w, target).map((value, i) => mean[i]! / total - value)
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
      const truth = expected(states, head, row, targetOf(row))
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

/** The last chunk is shorter, and one block of logits has one chunk or several. */
describe.each([32_768, 16_384])('of a head in blocks, in chunks of %i rows', (chunkRows) => {
  const whole = { bits: 8, blockSize: 16 } as const
  const format = { ...whole, chunkRows }
  const floats = normal([140_000, 16])
  const x = normal([ROWS, 16])
  const targets = Array.from({ length: ROWS }, (_, row) => row * 3_589)
  const both = { alongRows: true, alongColumns: true }

  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cotune-head-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  /** The same blocks, in a file each. */
  async function stored(w: engine.QuantisedTensor): Promise<engine.QuantisedTensor> {
    const piece = async (name: string, bytes: engine.Blocks['values']) => {
      const path = join(folder, name)
      await writeFile(path, bytes as Uint8Array)
      return { path, offset: 0, sizeBytes: (bytes as Uint8Array).length }
    }
    const blocks = async (name: string, { values, scales }: engine.Blocks) => ({
      values: await piece(`${name}.values`, values),
      scales: await piece(`${name}.scales`, scales),
    })
    const alongRows = await blocks('rows', w.alongRows!)
    return { ...w, alongRows, alongColumns: await blocks('columns', w.alongColumns!) }
  }

  it('gives what it gives as a whole, from memory and from files', async () => {
    const one = await run({ x, w: engine.quantise(floats, whole, both) }, true, targets)
    const w = engine.quantise(floats, format, both)
    for (const head of [w, await stored(w)]) {
      const { nats, slope } = await run({ x, w: head }, true, targets)
      for (const [i, value] of one.nats.data.entries()) expect(nats.data[i]).toBeCloseTo(value, 3)
      for (const [i, value] of one.slope.data.entries()) expect(slope.data[i]).toBeCloseTo(value, 3)
    }
  })

  it.each([
    ['both ways', both],
    ['along rows', { alongRows: true }],
    ['along columns', { alongColumns: true }],
  ])('gives what its floats give, stored %s', async (_, along) => {
    const w = engine.quantise(floats, format, along)
    const { nats, slope } = await run({ x, w }, true, targets)
    for (let row = 0; row < ROWS; row += 13) {
      const truth = expected(x, engine.inMemory(w), row, targets[row]!)
      // States and probabilities are rounded to 8 bits.
      expect(Math.abs(nats.data[row]! / truth.nats - 1)).toBeLessThan(0.01)
      for (const [i, value] of truth.slope.entries())
        expect(Math.abs(slope.data[16 * row + i]! - value)).toBeLessThan(0.05)
    }
  })
})
