import * as core from '@tensorflow/tfjs-core'
import '@tensorflow/tfjs-backend-wasm'
import { beforeEach, expect, it, vi } from 'vitest'
import { engineAlert } from '#protocols/api'

/** What `import('@tensorflow/tfjs-node')` gives: a CommonJS module, so its own exports are those of `default`. */
const native = vi.hoisted(() => ({ module: {} as Record<string, unknown> }))
vi.mock('@tensorflow/tfjs-node', () => ({
  get default() {
    return native.module
  },
}))

beforeEach(() => vi.resetModules())

async function open() {
  const { createProgram, input, openExecutor, square, tensor } = await import('#engine')
  const { executor, info } = await openExecutor({ executor: 'tensorflow' })
  const program = createProgram({ outputs: { y: square(input('x', [1])) } })
  const session = await executor.compile(program)
  const { y } = await session.run({ x: tensor(Float32Array.of(3), [1]) })
  await session.close()
  return { info, y: y?.data[0] }
}

it('takes the native library of tfjs-node where that works', async () => {
  await core.setBackend('wasm')
  native.module = { ...core, getBackend: () => 'tensorflow' }
  const { info, y } = await open()
  expect(y).toBe(9)
  const probes = [{ name: 'tensorflow', works: true, reason: '' }]
  expect(info).toEqual({ executor: 'tensorflow', provider: 'tensorflow', probes })
  expect(engineAlert(info)).toBeUndefined()
})

it('takes WebAssembly where it fails at the first tensor, and says so', async () => {
  const tensor1d = () => {
    throw new TypeError('isNullOrUndefined is not a function\nmore of it')
  }
  native.module = { ...core, tensor1d }
  const { info, y } = await open()
  expect(y).toBe(9)
  expect(info).toMatchObject({
    provider: 'wasm',
    probes: [
      { name: 'tensorflow', works: false, reason: 'isNullOrUndefined is not a function' },
      { name: 'wasm', works: true },
    ],
  })
  expect(engineAlert(info)?.text).toContain(
    'learning runs on wasm (tensorflow); tensorflow: isNull',
  )
})
