import { describe, expect, it } from 'vitest'
import * as engine from '#engine'

const withCode = (code: string) => expect.objectContaining({ code })
const numbers = (...values: number[]) => engine.tensor(Float32Array.from(values), [values.length])

/** total <- total + x * w, returns the total before. */
function accumulator() {
  const total = engine.variable('total', [2])
  const next = engine.add(total, engine.multiply(engine.input('x', [2]), engine.weight('w', [2])))
  return engine.createProgram({ outputs: { before: total }, updates: { total: next } })
}

describe.each(['onnxruntime', 'tensorflow'] as const)('a session of %s', (name) => {
  const executor = engine.createExecutor(name, { threads: 1 })
  const open = () => executor.compile(accumulator(), { weights: new Map([['w', numbers(1, 10)]]) })

  it('holds variables from run to run, zeros at first', async () => {
    const session = await open()
    const first = await session.run({ x: numbers(1, 2) })
    const second = await session.run({ x: numbers(1, 1) })
    const values = await session.readVariables()
    expect([...(first.before?.data ?? [])]).toEqual([0, 0])
    expect([...(second.before?.data ?? [])]).toEqual([1, 20])
    expect([...(values.get('total')?.data ?? [])]).toEqual([2, 30])
    await session.close()
  })

  it('gives values that later runs do not change', async () => {
    const session = await open()
    const start = numbers(5, 6)
    await session.writeVariables(new Map([['total', start]]))
    await session.run({ x: numbers(1, 1) })
    const read = (await session.readVariables(['total'])).get('total')
    await session.run({ x: numbers(1, 1) })
    await session.run({ x: numbers(1, 1) })
    expect([...start.data]).toEqual([5, 6])
    expect([...(read?.data ?? [])]).toEqual([6, 16])
    await session.close()
  })

  it('serves calls one after the other', async () => {
    const session = await open()
    const runs = [1, 2, 3].map((x) => session.run({ x: numbers(x, 0) }))
    const befores = (await Promise.all(runs)).map(({ before }) => before?.data[0])
    expect(befores).toEqual([0, 1, 3])
    await session.close()
  })

  it('goes on after a run that was refused', async () => {
    const session = await open()
    await expect(session.run({})).rejects.toThrow(withCode('ENGINE_MISSING_FEED'))
    await expect(session.run({ x: numbers(1) })).rejects.toThrow(withCode('ENGINE_WRONG_TENSOR'))
    await expect(session.run({ x: numbers(1, 1), z: numbers(1) })).rejects.toThrow(
      withCode('ENGINE_UNKNOWN_FEED'),
    )
    const ids = engine.tensor(Int32Array.of(1, 2), [2])
    await expect(session.run({ x: ids })).rejects.toThrow(withCode('ENGINE_WRONG_TENSOR'))
    await expect(session.writeVariables(new Map([['x', numbers(1)]]))).rejects.toThrow(
      withCode('ENGINE_UNKNOWN_VARIABLE'),
    )
    await expect(session.readVariables(['y'])).rejects.toThrow(withCode('ENGINE_UNKNOWN_VARIABLE'))
    expect((await session.run({ x: numbers(1, 1) })).before?.data[0]).toBe(0)
    await session.close()
  })

  it('refuses weights that lack or have another shape', async () => {
    await expect(executor.compile(accumulator())).rejects.toThrow(withCode('ENGINE_MISSING_WEIGHT'))
    const weights = new Map([['w', numbers(1)]])
    await expect(executor.compile(accumulator(), { weights })).rejects.toThrow(
      withCode('ENGINE_WRONG_TENSOR'),
    )
  })

  it('serves nothing once closed', async () => {
    const session = await open()
    await session.close()
    await session.close()
    await expect(session.run({ x: numbers(1, 1) })).rejects.toThrow(
      withCode('ENGINE_SESSION_CLOSED'),
    )
  })
})
