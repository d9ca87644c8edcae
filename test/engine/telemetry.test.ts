import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { packagePath } from '#base'

const run = promisify(execFile)

const SCRIPT = `
  import { createExecutor, createProgram, input, square, tensor } from '#engine'
  const program = createProgram({ outputs: { y: square(input('x', [1])) } })
  const session = await createExecutor('onnxruntime').compile(program)
  const { y } = await session.run({ x: tensor(Float32Array.of(3), [1]) })
  await session.close()
  console.log(y.data[0])
`

it('runs ONNX Runtime without its telemetry: no log, no file, wherever it may write', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cotune-telemetry-'))
  try {
    const env: NodeJS.ProcessEnv = {
      ...process.env,
      TMPDIR: folder,
      HOME: folder,
      XDG_CACHE_HOME: folder,
    }
    delete env.ORT_DISABLE_TELEMETRY
    const args = [
      '--import',
      'tsx',
      '--conditions=cotune-source',
      '--input-type=module',
      '-e',
      SCRIPT,
    ]
    const { stdout } = await run(process.execPath, args, { cwd: packagePath(), env })
    expect(stdout.trim()).toBe('9')
    const files = await readdir(folder)
    expect(files.filter((name) => !name.startsWith('tsx-'))).toEqual([])
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}, 60_000)
