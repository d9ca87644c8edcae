import { mkdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import {
  cruise,
  type ICruiseOptions,
  type ICruiseResult,
  type IViolation,
} from 'dependency-cruiser'
import extractOptions from 'dependency-cruiser/config-utl/extract-depcruise-options'
import extractTsConfig from 'dependency-cruiser/config-utl/extract-ts-config'
import { beforeAll, describe, expect, it } from 'vitest'
import { packagePath } from '#base'
import { temporaryFolder } from '../base/temporary-folder.ts'

interface Rule {
  readonly name: string
  readonly comment: string
}

/** The whole tree is read once: seconds alone on a machine, more beside others. */
const SLOW_MS = 240_000
const CONFIG = packagePath('.dependency-cruiser.cjs')
const LAYERS = ['base', 'engine', 'learning', 'protocols', 'daemon', 'cloud-peer', 'tui', 'cli']
const RULES: readonly Rule[] = createRequire(import.meta.url)(CONFIG).forbidden

/** For each rule, the least tree that breaks it: files by path. */
const BREACHES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'no-cycle': {
    'engine/index.ts': "export { b } from './b.ts'\nexport const a = 1\n",
    'engine/b.ts': "import type { a } from './index.ts'\nexport const b: typeof a = 1\n",
  },
  'base-knows-nothing': importing('base/index.ts', 'engine/index.ts'),
  'engine-knows-tensors-only': importing('engine/index.ts', 'learning/text/index.ts'),
  'learning-knows-no-wire': importing('learning/text/index.ts', 'protocols/mesh/index.ts'),
  'protocols-take-types-of-learning-only': importing(
    'protocols/mesh/index.ts',
    'learning/text/index.ts',
  ),
  'protocols-below-processes': importing('protocols/mesh/index.ts', 'daemon/index.ts'),
  'daemon-and-cloud-peer-apart': importing('daemon/index.ts', 'cloud-peer/index.ts'),
  'cloud-peer-and-daemon-apart': importing('cloud-peer/index.ts', 'daemon/index.ts'),
  'tui-reads-the-local-api-only': importing('tui/index.ts', 'daemon/index.ts'),
  'public-face': importing('daemon/index.ts', 'base/inside.ts'),
  'public-face-of-parts': importing('learning/text/index.ts', 'learning/data/inside.ts'),
  'no-tests-in-source': importing('base/index.ts', 'test/helper.ts'),
  'no-orphan-dev-dependency': {
    'base/index.ts': "import 'helper'\n",
    'package.json': '{ "devDependencies": { "helper": "1.0.0" } }',
    'node_modules/helper/package.json':
      '{ "name": "helper", "version": "1.0.0", "main": "index.js" }',
    'node_modules/helper/index.js': '',
  },
}

describe('the layers', () => {
  let broken: readonly IViolation[]

  beforeAll(async () => {
    broken = await violations(LAYERS, packagePath())
  }, SLOW_MS)

  it.each(RULES)('$name: $comment', ({ name, comment }) => {
    const found = broken
      .filter(({ rule }) => rule.name === name)
      .map(({ from, to }) => `${from} -> ${to}`)
    expect(found, comment).toEqual([])
  })
})

describe('the rules bite', () => {
  it('each has a breach here', () => {
    expect(Object.keys(BREACHES).sort()).toEqual(RULES.map(({ name }) => name).sort())
  })

  it.each(Object.entries(BREACHES))('%s', async (name, files) => {
    const found = await violations(['.'], write(files))
    expect(found.map(({ rule }) => rule.name)).toContain(name)
  })

  it('a type is no reason to complain where types are allowed', async () => {
    const files = {
      'protocols/mesh/index.ts':
        "import type { x } from '../../learning/text/index.ts'\nexport type Y = typeof x\n",
      'learning/text/index.ts': 'export const x = 1\n',
    }
    expect(await violations(['.'], write(files))).toEqual([])
  })
})

function importing(from: string, to: string): Readonly<Record<string, string>> {
  const up = '../'.repeat(from.split('/').length - 1)
  return {
    [from]: `import { x } from '${up}${to}'\nexport const y = x\n`,
    [to]: 'export const x = 1\n',
  }
}

function write(files: Readonly<Record<string, string>>): string {
  const folder = temporaryFolder()
  for (const [path, content] of Object.entries({ 'package.json': '{}', ...files })) {
    mkdirSync(join(folder, dirname(path)), { recursive: true })
    writeFileSync(join(folder, path), content)
  }
  return folder
}

async function violations(folders: string[], baseDir: string): Promise<readonly IViolation[]> {
  const options: ICruiseOptions = await extractOptions(CONFIG)
  const { enhancedResolveOptions } = options
  const tsConfig = extractTsConfig(packagePath('tsconfig.json'))
  const { output } = await cruise(
    folders,
    { ...options, baseDir, validate: true },
    enhancedResolveOptions,
    { tsConfig },
  )
  return (output as ICruiseResult).summary.violations
}
