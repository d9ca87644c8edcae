import { describe, expect, it } from 'vitest'
import * as engine from '#engine'

const [ROWS, TOKENS, COLUMNS] = engine.DYNAMIC_SIZES
const withCode = (code: string) => expect.objectContaining({ code })
const floats = (shape: engine.Shape, from = 0) =>
  engine.tensor(
    Float32Array.from({ length: engine.sizeOf(shape) }, (_, i) => Math.sin(from + i)),
    shape,
  )

/** Pairs of elements of each token times a matrix, and the largest of each row. */
function program(rows: number, tokens: number) {
  const x = engine.input('x', [tokens, 4])
  const pairs = engine.reshape(x, [tokens, 2, 2])
  const turned = engine.reshape(engine.matmul(pairs, engine.weight('w', [2, 2])), [2 * tokens, 2])
  const chosen = engine.gather(turned, engine.input('rows', [rows], 'int32'))
  return engine.createProgram({ outputs: { turned, best: engine.argMax(chosen) } })
}

describe.each(['onnxruntime', 'tensorflow'] as const)('dynamic sizes in %s', (name) => {
  const executor = engine.createExecutor(name, { threads: 1 })
  const weights = new Map([['w', floats([2, 2], 9)]])
  const ids = (...values: number[]) => engine.tensor(Int32Array.from(values), [values.length])

  it('may differ from run to run', async () => {
    const dynamic = await executor.compile(program(ROWS, TOKENS), { weights })
    for (const [rows, tokens] of [
      [1, 3],
      [2, 1],
      [3, 5],
    ] as const) {
      const fixed = await executor.compile(program(rows, tokens), { weights })
      const feeds = { x: floats([tokens, 4]), rows: ids(...[1, 0, 1].slice(0, rows)) }
      const expected = await fixed.run(feeds)
      expect(expected.turned?.shape).toEqual([2 * tokens, 2])
      expect(await dynamic.run(feeds)).toEqual(expected)
      await fixed.close()
    }
    await dynamic.close()
  })

  it('must agree within a run', async () => {
    const both = engine.add(engine.input('x', [TOKENS]), engine.input('y', [TOKENS]))
    const session = await executor.compile(engine.createProgram({ outputs: { both } }))
    await session.run({ x: floats([2]), y: floats([2]) })
    const unequal = session.run({ x: floats([2]), y: floats([3]) })
    await expect(unequal).rejects.toThrow(withCode('ENGINE_WRONG_TENSOR'))
    await session.close()
  })

  it('are multiples where the shape says so', async () => {
    const y = engine.negate(engine.input('x', [2 * TOKENS]))
    const session = await executor.compile(engine.createProgram({ outputs: { y } }))
    expect((await session.run({ x: floats([6]) })).y?.shape).toEqual([6])
    await expect(session.run({ x: floats([5]) })).rejects.toThrow(withCode('ENGINE_WRONG_TENSOR'))
    await session.close()
  })

  it('returns the outputs that are asked for', async () => {
    const session = await executor.compile(program(ROWS, TOKENS), { weights })
    const feeds = { x: floats([2, 4]), rows: ids(0) }
    const result = await session.run(feeds, { outputs: ['best'] })
    expect(Object.keys(result)).toEqual(['best'])
    await session.close()
  })
})

describe('what needs a size before it runs', () => {
  const executor = engine.createExecutor('onnxruntime')

  it('is refused: weights and variables', () => {
    const y = engine.variable('v', [TOKENS])
    expect(() => engine.createProgram({ outputs: { y } })).toThrow(withCode('ENGINE_DYNAMIC_SIZE'))
  })

  it.each([
    ['expand', engine.expand(engine.input('x', [1]), [TOKENS])],
    ['reshape', engine.reshape(engine.input('x', [TOKENS, COLUMNS, 2]), [2 * TOKENS, COLUMNS])],
    [
      'scatterAdd',
      engine.scatterAdd(3, engine.input('i', [TOKENS], 'int32'), engine.input('x', [TOKENS, 2])),
    ],
  ])('is refused: %s', async (_, y) => {
    const compiled = executor.compile(engine.createProgram({ outputs: { y } }))
    await expect(compiled).rejects.toThrow(withCode('ENGINE_DYNAMIC_SIZE'))
  })
})

describe('cachedAttention', () => {
  it.each(['onnxruntime', 'tensorflow'] as const)(
    'reads prompts of unequal length in %s',
    async (name) => {
      const executor = engine.createExecutor(name, { threads: 1 })
      const y = engine.cachedAttention(
        {
          queries: engine.input('q', [TOKENS, 16]),
          keys: engine.input('k', [TOKENS, 8]),
          values: engine.input('v', [TOKENS, 8]),
          cachedKeys: engine.input('ck', [ROWS, 1, COLUMNS, 8]),
          cachedValues: engine.input('cv', [ROWS, 1, COLUMNS, 8]),
          lengths: engine.input('lengths', [ROWS], 'int32'),
        },
        { scale: 0.5 },
      )
      const session = await executor.compile(engine.createProgram({ outputs: { y } }))
      const none = engine.zeroTensor([1, 1, 0, 8])
      const feedsOf = (row: number, length: number) => ({
        q: floats([length, 16], 100 * row),
        k: floats([length, 8], 200 * row),
        v: floats([length, 8], 300 * row),
        ck: none,
        cv: none,
        lengths: engine.tensor(Int32Array.of(length), [1]),
      })
      const [a, b] = [feedsOf(1, 2), feedsOf(2, 4)]
      // The shorter prompt is padded with what must not reach its own tokens.
      const padded = (x: engine.Tensor, y: engine.Tensor) => {
        const width = x.shape[1]!
        const data = new Float32Array(8 * width).fill(1e3)
        data.set(x.data)
        data.set(y.data, 4 * width)
        return engine.tensor(data, [8, width])
      }
      const together = await session.run({
        q: padded(a.q, b.q),
        k: padded(a.k, b.k),
        v: padded(a.v, b.v),
        ck: engine.zeroTensor([2, 1, 0, 8]),
        cv: engine.zeroTensor([2, 1, 0, 8]),
        lengths: engine.tensor(Int32Array.of(2, 4), [2]),
      })
      const rows = [together.y!.data.slice(0, 2 * 16), together.y!.data.slice(4 * 16)]
      for (const [row, alone] of [a, b].entries()) {
        const { y: expected } = await session.run(alone)
        for (const [i, x] of expected!.data.entries()) expect(rows[row]![i]).toBeCloseTo(x, 5)
      }
      await session.close()
    },
  )
})
