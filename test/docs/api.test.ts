import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { CotuneError, EXIT, packagePath } from '#base'
import { createHandlers } from '../../cloud-peer/api/handlers.ts'
import { deviceHandlers } from '../../daemon/handlers.ts'
import { toFailure } from '../../protocols/api/failure.ts'
import { requestSchemas } from '../../protocols/api/request-schemas.ts'

const page = readFileSync(packagePath('docs', 'api.md'), 'utf8')
const source = (file: string) => readFileSync(packagePath('protocols', 'api', file), 'utf8')
const types = source('types.ts')

/** Routes that carry no request and so have no schema. */
const bare = new Set(
  Array.from(source('server.ts').matchAll(/name === '([A-Z]+ \/\S+)'/g), ([, name = '']) => name),
)
const routes = [...Object.keys(requestSchemas), ...bare]

/** What stands under each heading. */
const sections = new Map(
  page
    .split(/^#{2,3} /m)
    .slice(1)
    .map((text) => [text.slice(0, text.indexOf('\n')), text] as const),
)

/** The rows of a section's table, by the name in their first cell. */
function rows(heading: string): ReadonlyMap<string, readonly string[]> {
  const lines = (sections.get(heading) ?? '').matchAll(/^\| `([\w.]+)` \| (.*) \|$/gm)
  return new Map([...lines].map(([, name = '', rest = '']) => [name, rest.split(' | ')]))
}

interface JsonSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
}

interface Field {
  readonly name: string
  readonly required: boolean
  readonly limits: readonly string[]
}

/** The fields of a body, those of objects in it with a dot. */
function fields({ properties = {}, required = [] }: JsonSchema, prefix = ''): readonly Field[] {
  return Object.entries(properties).flatMap(([key, schema]) => [
    { name: prefix + key, required: required.includes(key), limits: limits(schema).sort() },
    ...fields(schema, `${prefix}${key}.`),
  ])
}

const LIMITS = /^(min|max|exclusiveM)/

/** Bounds and choices of one field; that an integer is a safe one goes without saying. */
function limits(schema: object): string[] {
  return Object.entries(schema).flatMap(([key, value]) => {
    if (key === 'enum') return value as string[]
    if (LIMITS.test(key)) return Math.abs(value) < Number.MAX_SAFE_INTEGER ? [String(value)] : []
    return key !== 'properties' && typeof value === 'object' ? limits(value as object) : []
  })
}

/** The numbers and `words` of a cell. */
function said(cell = ''): readonly string[] {
  const words = cell.replace(/(?<=\d),(?=\d)/g, '').matchAll(/\b\d+\b|(?<=`)\w+(?=`)/g)
  return Array.from(words, ([word]) => word).sort()
}

describe('docs/api.md', () => {
  it('has a section for each route, and for none that does not exist', () => {
    const headings = [...sections.keys()].filter((heading) => /^[A-Z]+ \//.test(heading))
    expect(bare).toEqual(new Set(['GET /healthz', 'GET /readyz', 'GET /v1/events']))
    expect(headings.sort()).toEqual([...routes].sort())
  })

  it('names no route elsewhere that does not exist', () => {
    const named = Array.from(page.matchAll(/\b(?:GET|POST|PUT|DELETE) \/[\w/]+/g), ([name]) => name)
    expect(named.filter((name) => !routes.includes(name))).toEqual([])
    const called = Array.from(page.matchAll(/http:\/\/peer(\/[\w/]+)/g), ([, path]) => path)
    expect(called.filter((path) => !routes.some((route) => route.endsWith(` ${path}`)))).toEqual([])
  })

  it('says which status an error has', () => {
    const lines = [...page.matchAll(/^\| (\d[\d, ]*) \| (\d[\d, ]*) \|/gm)]
    const table = lines.map(
      ([, statuses = '', exits = '']) => [said(statuses), said(exits)] as const,
    )
    for (const exit of Object.values(EXIT).filter((code) => code !== EXIT.ok)) {
      const { status } = toFailure(new CotuneError('A_CODE', 'a sentence', { hint: '', exit }))
      const row = table.find(([statuses]) => statuses.includes(String(status)))
      expect(row?.[1], `${status}`).toContain(String(exit))
    }
  })

  it('says who answers each route', () => {
    const answers = {
      device: deviceHandlers({} as never),
      cloud: createHandlers({} as never, {} as never),
    }
    const who = routes.map((route) => {
      if (bare.has(route) || (route in answers.device && route in answers.cloud))
        return [route, 'both']
      return [route, route in answers.device ? 'device' : 'cloud peer']
    })
    const listed = page.matchAll(/^\| \[`([A-Z]+ \/\S+)`\]\(#\S+\) \| (.*?) \|/gm)
    expect(Object.fromEntries(Array.from(listed, ([, route, by]) => [route, by]))).toEqual(
      Object.fromEntries(who),
    )
  })

  it.each(Object.entries(requestSchemas))(
    'lists the fields of %s with their limits',
    (route, schema) => {
      const body = z.toJSONSchema(schema, { unrepresentable: 'any' }) as JsonSchema
      const listed = [...rows(route)].map(([name, [type, fallback]]) => ({
        name,
        required: fallback === 'required',
        limits: said(type),
      }))
      expect(listed).toEqual(fields(body))
    },
  )

  it('lists the fields of every object that a reply or an event holds', () => {
    const interfaces = types.matchAll(/^export interface (\w+) \{\n(.*?)^\}/gms)
    const objects = [...interfaces].filter(([, name]) => !/Request$|^Routes$/.test(name!))
    expect(objects.length).toBeGreaterThan(10)
    for (const [, name = '', declared = ''] of objects) {
      const known = Array.from(declared.matchAll(/^ {2}readonly (\w+)/gm), ([, field]) => field)
      expect([...rows(name).keys()], name).toEqual(known)
    }
  })

  it('lists the types of events with their fields', () => {
    const [, after = ''] = types.split('export type PeerEvent =')
    const [union = ''] = after.split('export ')
    const events = Array.from(union.matchAll(/type: '(\w+)'([^}]*)\}/g), ([, type, rest = '']) => [
      type,
      Array.from(rest.matchAll(/readonly (\w+)/g), ([, field]) => field),
    ])
    const listed = [...rows('Events')].map(([type, [names = '']]) => [
      type,
      Array.from(names.matchAll(/`(\w+)`/g), ([, field]) => field),
    ])
    expect(listed).toEqual(events)
  })
})
