import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import { expect, it } from 'vitest'
import { packagePath } from '#base'
import { cloudConfigSchema } from '../../cloud-peer/config.ts'
import { daemonConfigSchema } from '../../daemon/config.ts'
import { tuningSettings } from '../../learning/tuning/settings.ts'

/** Key to default, as the tables under a heading of a page say. */
function documented(page: string, heading: string): ReadonlyMap<string, string> {
  const text = readFileSync(packagePath('docs', page), 'utf8')
  const [, after = ''] = text.split(`${heading}\n`)
  const [section = ''] = after.split(/^#/m)
  const rows = section.matchAll(/^\| `([\w.*]+)` \| (.*?) \|/gm)
  return new Map([...rows].map(([, key = '', value = '']) => [key, value]))
}

/** Dotted keys to defaults, `home` and the open section of tuning left out. */
function defaults(config: object, prefix = ''): readonly (readonly [string, unknown])[] {
  return Object.entries(config).flatMap(([key, value]) => {
    const dotted = `${prefix}${key}`
    if (dotted === 'home' || dotted === 'tuning') return []
    const isSection = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isSection ? defaults(value as object, `${dotted}.`) : [[dotted, value]]
  })
}

function spelled(key: string, value: unknown): string {
  return key.startsWith('models.')
    ? relative(packagePath('.'), String(value))
    : JSON.stringify(value)
}

it('docs/co-tuning.md lists every tuning setting with its default', () => {
  const expected = Object.entries(tuningSettings()).map(
    ([key, value]) => [key, `\`${JSON.stringify(value)}\``] as const,
  )
  expect(documented('co-tuning.md', '## Settings')).toEqual(new Map(expected))
})

it.each([
  ['### Device', daemonConfigSchema],
  ['### Cloud peer', cloudConfigSchema],
])('docs/operations.md lists every key of the configuration: %s', (heading, schema) => {
  const pages = [
    ...documented('operations.md', '### Both'),
    ...documented('operations.md', heading),
  ]
  const said = new Map(pages)
  const config = defaults(schema.parse({ home: '/home' }))
  const keys = [...config.map(([key]) => key), 'engine.threads', 'tuning.*']
  expect([...said.keys()].sort()).toEqual(keys.sort())
  for (const [key, value] of config) expect(said.get(key), key).toContain(spelled(key, value))
})
