import { describe, expect, it } from 'vitest'
import * as engine from '#engine'

const withCode = (code: string) => expect.objectContaining({ code })

describe('builders', () => {
  it('name the operands whose shapes do not fit', () => {
    const a = engine.weight('wte.weight', [4, 8])
    const b = engine.input('x', [3, 8])
    expect(() => engine.add(a, b)).toThrow(/add\(%\d+ weight "wte.weight" \[4,8\], %\d+ input "x"/)
    expect(() => engine.matmul(a, b)).toThrow(withCode('ENGINE_SHAPE_MISMATCH'))
    expect(() => engine.reshape(a, [5, -1])).toThrow(withCode('ENGINE_SHAPE_MISMATCH'))
    expect(() => engine.input('x', [0])).toThrow(withCode('ENGINE_SHAPE_MISMATCH'))
    expect(() => engine.tensor(new Float32Array(3), [2])).toThrow(withCode('ENGINE_SHAPE_MISMATCH'))
  })

  it('refuse the other dtype', () => {
    const ids = engine.input('ids', [4], 'int32')
    expect(() => engine.exp(ids)).toThrow(withCode('ENGINE_DTYPE_MISMATCH'))
    expect(() => engine.add(ids, engine.scalar(1))).toThrow(withCode('ENGINE_DTYPE_MISMATCH'))
    expect(() => engine.gather(engine.zeros([4, 2]), engine.zeros([2]))).toThrow(
      withCode('ENGINE_DTYPE_MISMATCH'),
    )
  })
})

describe('createProgram', () => {
  it('leaves out what nothing needs', () => {
    const x = engine.input('x', [2])
    engine.exp(engine.input('unused', [2]))
    const program = engine.createProgram({ outputs: { y: engine.exp(x) } })
    expect([...program.inputs.keys()]).toEqual(['x'])
    expect(program.nodes).toHaveLength(2)
  })

  it('refuses two leaves of one name', () => {
    const sum = engine.add(engine.weight('w', [2]), engine.weight('w', [2]))
    expect(() => engine.createProgram({ outputs: { sum } })).toThrow(
      withCode('ENGINE_PROGRAM_INVALID'),
    )
  })

  it('refuses an update of no variable, or of another shape', () => {
    const v = engine.variable('v', [2])
    const outputs = { v }
    expect(() => engine.createProgram({ outputs, updates: { w: v } })).toThrow(/no variable/)
    expect(() => engine.createProgram({ outputs, updates: { v: engine.zeros([3]) } })).toThrow(
      /updates %\d+ variable "v" \[2\]/,
    )
  })

  it('prints one line a node', () => {
    const x = engine.input('x', [2, 3])
    const y = engine.matmul(x, engine.weight('w', [4, 3]), { transposeB: true })
    const lines = engine
      .printProgram(engine.createProgram({ outputs: { y } }))
      .replaceAll(/%\d+/g, '%')
      .split('\n')
    expect(lines).toEqual([
      '% input "x" [2,3]',
      '% weight "w" [4,3]',
      '% matmul [2,4] (%, %) transposeB=true',
      'output "y" = %',
    ])
  })
})
