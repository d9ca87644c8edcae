import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bytesOf, createRandom } from '#base'
import * as engine from '#engine'

const ROWS = 64
const COLUMNS = 128
const executor = engine.createExecutor('onnxruntime', { threads: 1 })
const oracle = engine.createExecutor('tensorflow')
const random = createRandom('blocks')
const normal = (shape: engine.Shape) =>
  engine.tensor(
    Float32Array.from({ length: engine.sizeOf(shape) }, () => random.normal()),
    shape,
  )
const matrix = normal([ROWS, COLUMNS])

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cotune-blocks-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** Largest difference relative to the largest value. */
function distance(a: engine.Tensor, b: engine.Tensor): number {
  let largest = 0
  let apart = 0
  for (const [i, x] of a.data.entries()) {
    largest = Math.max(largest, Math.abs(b.data[i]!))
    apart = Math.max(apart, Math.abs(x - b.data[i]!))
  }
  return apart / largest
}

async function both(
  outputs: Record<string, engine.Node>,
  weights: ReadonlyMap<string, engine.WeightValue>,
  feeds: Record<string, engine.Tensor>,
) {
  const program = engine.createProgram({ outputs })
  const results = []
  for (const each of [executor, oracle]) {
    const session = await each.compile(program, { weights })
    results.push(await session.run(feeds))
    await session.close()
  }
  return results as [Record<string, engine.Tensor>, Record<string, engine.Tensor>]
}

describe.each([8, 4] as const)('%i-bit blocks', (bits) => {
  const format = { bits, blockSize: 32 } as const
  const w = engine.weight('w', [ROWS, COLUMNS], format)
  const x = engine.input('x', [6, COLUMNS])
  const g = engine.input('g', [6, ROWS])
  const ids = engine.constant(Int32Array.of(3, 0, 63, 3), [4])
  const feeds = { x: normal([6, COLUMNS]), g: normal([6, ROWS]) }

  it('hold a matrix as closely as their bits allow', () => {
    const held = engine.inMemory(engine.quantise(matrix, format))
    expect(distance(held, matrix)).toBeLessThan(bits === 8 ? 0.005 : 0.12)
    expect(distance(held, matrix)).toBeGreaterThan(0)
  })

  it.each([
    ['both ways', { alongRows: true, alongColumns: true }],
    ['along rows', { alongRows: true }],
    ['along columns', { alongColumns: true }],
  ])('multiply as their floats do, stored %s', async (_, directions) => {
    const weights = new Map([['w', engine.quantise(matrix, format, directions)]])
    const [ours, theirs] = await both(
      {
        forward: engine.matmul(x, w, { transposeB: true, scale: 2 }),
        backward: engine.matmul(g, w),
        rows: engine.gather(w, ids),
        floats: engine.square(w),
      },
      weights,
      feeds,
    )
    // Both directions at once are two roundings of one matrix; the oracle knows one of them.
    const exact = 'alongRows' in directions && 'alongColumns' in directions ? 0.2 : 0.02
    expect(distance(ours.forward!, theirs.forward!)).toBeLessThan(0.02)
    expect(distance(ours.backward!, theirs.backward!)).toBeLessThan(exact)
    expect(distance(ours.rows!, theirs.rows!)).toBeLessThan(1e-6)
    expect(distance(ours.floats!, theirs.floats!)).toBeLessThan(1e-6)
  })

  it('are mapped from a file', async () => {
    const made = engine.quantise(matrix, format)
    const path = join(folder, `${bits}.bin`)
    const values = bytesOf(made.alongRows!.values as Uint8Array)
    const scales = made.alongRows!.scales as Uint8Array
    await writeFile(path, Buffer.concat([Buffer.alloc(8), values, scales]))
    const stored: engine.WeightValue = {
      ...made,
      alongRows: {
        values: { path, offset: 8, sizeBytes: values.length },
        scales: { path, offset: 8 + values.length, sizeBytes: scales.length },
      },
    }
    const outputs = {
      forward: engine.matmul(x, w, { transposeB: true }),
      rows: engine.gather(w, ids),
    }
    const [ours, theirs] = await both(outputs, new Map([['w', stored]]), { x: feeds.x })
    expect(distance(ours.forward!, theirs.forward!)).toBeLessThan(0.02)
    expect(distance(ours.rows!, theirs.rows!)).toBeLessThan(1e-6)
  })
})

describe('chunks', () => {
  const whole = { bits: 8, blockSize: 16 } as const
  const format = { ...whole, chunkRows: 48 }

  it.each([
    ['both ways', { alongRows: true, alongColumns: true }],
    ['along rows', { alongRows: true }],
    ['along columns', { alongColumns: true }],
  ])('leave a matrix and its products as they are, stored %s', async (_, directions) => {
    const [x, g] = [engine.input('x', [6, COLUMNS]), engine.input('g', [6, ROWS])]
    const feeds = { x: normal([6, COLUMNS]), g: normal([6, ROWS]) }
    const resultsIn = async (each: engine.BlockFormat) => {
      const w = engine.weight('w', [ROWS, COLUMNS], each)
      const value = engine.quantise(matrix, each, directions)
      const outputs = {
        forward: engine.matmul(x, w, { transposeB: true }),
        backward: engine.matmul(g, w, { scale: 2 }),
        floats: engine.square(w),
      }
      const [ours] = await both(outputs, new Map([['w', value]]), feeds)
      return { held: engine.inMemory(value), ours }
    }
    const [one, several] = [await resultsIn(whole), await resultsIn(format)]
    expect(several.held.data).toEqual(one.held.data)
    expect(several.ours.floats!.data).toEqual(one.ours.floats!.data)
    expect(distance(several.ours.forward!, one.ours.forward!)).toBeLessThan(1e-5)
    expect(distance(several.ours.backward!, one.ours.backward!)).toBeLessThan(1e-5)
  })
})

it('maps float32 values from a file', async () => {
  const path = join(folder, 'floats.bin')
  await writeFile(path, Buffer.concat([Buffer.alloc(12), bytesOf(matrix.data)]))
  const data = { path, offset: 12, sizeBytes: 4 * ROWS * COLUMNS }
  const mapped: engine.WeightValue = { dtype: 'mapped', shape: matrix.shape, data }
  const x = engine.input('x', [2, COLUMNS])
  const y = engine.matmul(x, engine.weight('w', matrix.shape), { transposeB: true })
  const [ours, theirs] = await both({ y }, new Map([['w', mapped]]), { x: normal([2, COLUMNS]) })
  expect(distance(ours.y!, theirs.y!)).toBeLessThan(1e-5)
})

it('refuses blocks of another format than the node has', async () => {
  const w = engine.weight('w', [ROWS, COLUMNS], { bits: 8, blockSize: 32 })
  const program = engine.createProgram({ outputs: { w: engine.square(w) } })
  const weights = new Map([['w', engine.quantise(matrix, { bits: 4, blockSize: 32 })]])
  const refused = { code: 'ENGINE_WRONG_TENSOR' }
  await expect(executor.compile(program, { weights })).rejects.toMatchObject(refused)
  weights.set('w', engine.quantise(matrix, { bits: 8, blockSize: 32, chunkRows: 32 }))
  await expect(executor.compile(program, { weights })).rejects.toMatchObject(refused)
})
