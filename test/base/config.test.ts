import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { loadConfig } from '#base'
import { temporaryFolder } from './temporary-folder.ts'

const schema = z.object({
  name: z.string().default('device'),
  listen: z.array(z.string()).default([]),
  engine: z
    .object({
      executor: z.enum(['onnxruntime', 'tensorflow']).default('onnxruntime'),
      maxThreads: z.number().int().min(1).default(1),
    })
    .prefault({}),
  tuning: z.record(z.string(), z.number()).default({}),
})

function file(text: string): string {
  const path = join(temporaryFolder(), 'config.toml')
  writeFileSync(path, text)
  return path
}

describe('loadConfig', () => {
  it('lets flags win over the environment, the file and the defaults, and says where from', () => {
    const path = file('name = "a"\n\n[engine]\nmaxThreads = 2\nexecutor = "tensorflow"\n')
    const { value, origins } = loadConfig(schema, {
      path,
      env: {
        COTUNE_ENGINE__MAX_THREADS: '3',
        COTUNE_LISTEN: '/a, /b',
        COTUNE_TUNING__RANK: '2',
        COTUNE_TUNING__SAML_EPOCHS: '4',
      },
      overrides: { name: 'flagged', engine: { executor: undefined } },
    })
    expect(value).toEqual({
      name: 'flagged',
      listen: ['/a', '/b'],
      engine: { executor: 'tensorflow', maxThreads: 3 },
      tuning: { rank: 2, samlEpochs: 4 },
    })
    expect(Object.fromEntries(origins)).toEqual({
      name: 'flag',
      listen: 'COTUNE_LISTEN',
      'engine.maxThreads': 'COTUNE_ENGINE__MAX_THREADS',
      'engine.executor': `${path}:5`,
      'tuning.rank': 'COTUNE_TUNING__RANK',
      'tuning.samlEpochs': 'COTUNE_TUNING__SAML_EPOCHS',
    })
  })

  it('takes a variable that is named as a section is for no setting', () => {
    const { value } = loadConfig(schema, { env: { COTUNE_ENGINE: '/a/path', COTUNE_NAME: 'b' } })
    expect(value).toMatchObject({ name: 'b', engine: { executor: 'onnxruntime' } })
  })

  it('takes the defaults when there is nothing', () => {
    const { value, origins } = loadConfig(schema, { path: join(temporaryFolder(), 'none.toml') })
    expect(value.engine).toEqual({ executor: 'onnxruntime', maxThreads: 1 })
    expect(origins.size).toBe(0)
  })

  it('refuses an unknown key with its line and what was meant', () => {
    const path = file('name = "a"\n[engine]\nexecuter = "tensorflow"\n')
    expect(() => loadConfig(schema, { path })).toThrow(
      expect.objectContaining({
        code: 'CONFIG_UNKNOWN_KEY',
        message: `${path}:3: unknown key engine.executer`,
        hint: 'did you mean executor?',
        exit: 5,
      }),
    )
    expect(() => loadConfig(schema, { env: { COTUNE_ENGIN__THREADS: '1' } })).toThrow(
      'COTUNE_ENGIN__THREADS',
    )
    // A variable without a section may belong to another tool.
    expect(() => loadConfig(schema, { env: { COTUNE_HOME: '/x' } })).not.toThrow()
  })

  it('names the line of a wrong value, of bad syntax and a file that must be there', () => {
    const wrong = file('\n[engine]\nmaxThreads = 0\n')
    expect(() => loadConfig(schema, { path: wrong })).toThrow(`${wrong}:3: engine.maxThreads`)
    const broken = file('name = "a"\nlisten = [\n')
    expect(() => loadConfig(schema, { path: broken })).toThrow(
      expect.objectContaining({ code: 'CONFIG_SYNTAX' }),
    )
    expect(() => loadConfig(schema, { path: `${wrong}.no`, required: true })).toThrow(
      expect.objectContaining({ code: 'CONFIG_UNREADABLE' }),
    )
  })
})
