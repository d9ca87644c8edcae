import { expect, it, vi } from 'vitest'
import { createExecutor, createProgram, input, openExecutor, square, tensor } from '#engine'
import { engineAlert } from '#protocols/api'
// Of the folder: what it is told is there is made up below.
import { loadOnnxruntime } from '../../engine/onnx/load-onnxruntime.ts'
import { chooseProvider } from '../../engine/onnx/probe-providers.ts'

vi.mock(import('../../engine/onnx/load-onnxruntime.ts'), async (original) => {
  const { loadOnnxruntime } = await original()
  return { loadOnnxruntime: vi.fn(loadOnnxruntime) }
})

/** As if the build had these; that none but the CPU works is true wherever the tests run: `coreml` and `dml` are never both there. */
async function pretend(...names: readonly string[]): Promise<void> {
  const ort = await loadOnnxruntime()
  const listed = names.map((name) => ({ name, bundled: true }))
  vi.mocked(loadOnnxruntime).mockResolvedValueOnce({ ...ort, listSupportedBackends: () => listed })
}

const absent = process.platform === 'darwin' ? 'dml' : 'coreml'

it('runs on the CPU unless told, and says so', async () => {
  const { executor, info } = await openExecutor({ threads: 1 })
  const probes = [{ name: 'cpu', works: true, reason: '' }]
  expect(info).toEqual({ executor: 'onnxruntime', provider: 'cpu', probes })
  const program = createProgram({ outputs: { y: square(input('x', [1])) } })
  const session = await executor.compile(program)
  expect((await session.run({ x: tensor(Float32Array.of(3), [1]) })).y?.data[0]).toBe(9)
  await session.close()
  expect(engineAlert(info)).toBeUndefined()
})

it('refuses a provider that this build lacks', async () => {
  await expect(openExecutor({ provider: absent })).rejects.toMatchObject({
    code: 'ENGINE_PROVIDER_MISSING',
    message: expect.stringContaining(`${absent} cannot be used here: this build`),
    hint: expect.stringContaining('engine.provider'),
    data: { wanted: absent, listed: expect.arrayContaining(['cpu']) },
  })
})

it('refuses one that is listed and does not run', async () => {
  await pretend('cpu', absent)
  await expect(chooseProvider(absent)).rejects.toMatchObject({ code: 'ENGINE_PROVIDER_MISSING' })
})

it('takes the CPU with "auto" when nothing else runs, and warns of it', async () => {
  await pretend(absent, 'cpu')
  const choice = await chooseProvider('auto')
  expect(choice.provider).toBe('cpu')
  expect(choice.probes.map(({ name, works }) => [name, works])).toEqual([
    [absent, false],
    ['cpu', true],
  ])
  expect(choice.probes[0]?.reason).not.toBe('')
  expect(engineAlert({ executor: 'onnxruntime', ...choice })).toMatchObject({
    code: 'ENGINE_FALLBACK',
    severity: 'warning',
    text: expect.stringContaining(absent),
  })
})

it('does not fall back when the executor is asked for another provider', async () => {
  const program = createProgram({ outputs: { y: square(input('x', [1])) } })
  await expect(
    createExecutor('onnxruntime', { provider: absent }).compile(program),
  ).rejects.toMatchObject({ code: 'ENGINE_COMPILE_FAILED' })
})
