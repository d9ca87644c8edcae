import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { EXIT, packagePath } from '#base'

const FOLDERS = ['base', 'engine', 'learning', 'protocols', 'daemon', 'cloud-peer', 'tui', 'cli']
const CODE = '[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+'

const book = readFileSync(packagePath('docs', 'errors.md'), 'utf8')
const sources = FOLDERS.flatMap((folder) =>
  readdirSync(packagePath(folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.tsx?$/.test(path) && !path.endsWith('_pb.ts'))
    .map((path) => ({
      path: join(folder, path),
      text: readFileSync(packagePath(folder, path), 'utf8'),
    })),
)

/** Of each code in a table: how often it has a line. */
const lines = new Map<string, number>()
for (const [, code] of book.matchAll(new RegExp(`^\\| \`(${CODE})\` \\|`, 'gm')))
  lines.set(code!, (lines.get(code!) ?? 0) + 1)

/** Where the source throws a code (`new CotuneError('CODE'`, `refuse('CODE'`) or raises it as data (`code: 'CODE'`). */
const thrown = new Map<string, string>()
const RAISED = new RegExp(
  `(?:\\b(?:CotuneError|\\w*[eE]rror|refuse|refusal)\\(\\s*|\\bcode: |\\bconst [A-Z_]+ = )'(${CODE})'`,
  'g',
)
/** Codes of SQLite and Node, which are read, not thrown. */
const FOREIGN = /^(SQLITE|CSV|ERR)_/
for (const { path, text } of sources)
  for (const [call, code] of text.matchAll(RAISED))
    if (!call.startsWith('isCotuneError') && !FOREIGN.test(code!)) thrown.set(code!, path)

describe('docs/errors.md', () => {
  it('has a line for every code of the source', () => {
    const missing = [...thrown].filter(([code]) => !lines.has(code))
    expect(
      missing.map(([code, path]) => `| \`${code}\` | when? (${path}) | next step? |`),
      'add these lines to docs/errors.md',
    ).toEqual([])
  })

  it('has no code that the source does not know', () => {
    const literals = new Set(
      sources.flatMap(({ text }) =>
        Array.from(text.matchAll(new RegExp(`\\b${CODE}\\b`, 'g')), ([word]) => word),
      ),
    )
    const gone = [...lines.keys()].filter((code) => !literals.has(code))
    expect(gone, 'remove these lines from docs/errors.md').toEqual([])
  })

  it('says each code once', () => {
    expect([...lines].filter(([, count]) => count > 1)).toEqual([])
  })

  it('lists the exit codes', () => {
    const listed = Array.from(book.matchAll(/^\| (\d+) \| (\w+) \|/gm), ([, exit, name]) => [
      name,
      Number(exit),
    ])
    expect(Object.fromEntries(listed)).toEqual(EXIT)
  })
})

describe('the source', () => {
  it('is looked at: the codes are many, and from every layer', () => {
    expect(thrown.size).toBeGreaterThan(150)
    for (const folder of FOLDERS.filter((name) => name !== 'tui'))
      expect(
        [...thrown.values()].some((path) => path.startsWith(folder)),
        folder,
      ).toBe(true)
  })

  it('names its codes at the throw site, but for the factories that are given one', () => {
    const FACTORIES = [
      'base/rows/import-error.ts',
      'base/worker/plain-error.ts',
      'protocols/sealing/check-update.ts',
      'protocols/api/failure.ts',
      'cloud-peer/store/contributions.ts',
    ]
    const unnamed = sources.filter(({ text }) => /new CotuneError\(\s*[^'\s]/.test(text))
    expect(unnamed.map(({ path }) => path).sort()).toEqual(FACTORIES.sort())
  })
})
