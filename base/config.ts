import { readFileSync } from 'node:fs'
import { parse, TomlError } from 'smol-toml'
import type { z } from 'zod'
import { type ConfigNode, describeSchema } from './config-schema.ts'
import { didYouMean } from './did-you-mean.ts'
import { CotuneError, EXIT, errorMessage } from './errors.ts'

export interface ConfigSources {
  /** A TOML file; a missing one counts as empty unless `required`. */
  readonly path?: string
  readonly required?: boolean
  /** `COTUNE_SECTION__KEY` variables: `COTUNE_ENGINE__THREADS=2` sets `engine.threads`, `COTUNE_TUNING__SAML_EPOCHS` sets `tuning.samlEpochs`. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** From the command line; wins over everything. `undefined` means not given. */
  readonly overrides?: Readonly<Record<string, unknown>>
}

export interface LoadedConfig<T> {
  readonly value: T
  /** Dotted key to where its value came from: `file:line`, a variable's name or `flag`; what is absent is a default. */
  readonly origins: ReadonlyMap<string, string>
}

type Table = Record<string, unknown>

/**
 * Configuration from defaults < file < environment < flags, checked by `schema`. Unknown keys are errors.
 *
 * @throws CotuneError `CONFIG_UNREADABLE`, `CONFIG_SYNTAX`, `CONFIG_UNKNOWN_KEY`, `CONFIG_INVALID`.
 */
export function loadConfig<S extends z.ZodObject>(
  schema: S,
  sources: ConfigSources,
): LoadedConfig<z.output<S>> {
  const shape = describeSchema(schema)
  const origins = new Map<string, string>()
  const merged: Table = {}

  if (sources.path !== undefined) {
    const text = readText(sources.path, sources.required ?? false)
    const lines = keyLines(text)
    const origin = (key: string) => `${sources.path}:${lineOf(lines, key)}`
    const values = parseToml(text, sources.path)
    assertKnown(values, shape, [], origin)
    merge(merged, values, [], origin, origins)
  }
  for (const [name, value] of Object.entries(sources.env ?? {})) {
    const found = name.startsWith('COTUNE_') ? fromEnvironment(name, shape) : undefined
    if (!found || value === undefined) continue
    merge(merged, nest(found.path, parseValue(value, found.node)), [], () => name, origins)
  }
  const overrides = withoutUndefined(sources.overrides ?? {})
  assertKnown(overrides, shape, [], () => 'flag')
  merge(merged, overrides, [], () => 'flag', origins)

  const result = schema.safeParse(merged)
  if (result.success) return { value: result.data, origins }
  const issue = result.error.issues[0]
  const key = issue?.path.join('.') ?? ''
  const origin = origins.get(key) ?? 'configuration'
  throw new CotuneError('CONFIG_INVALID', `${origin}: ${key}: ${issue?.message ?? 'invalid'}`, {
    hint: `correct ${key || 'the configuration'}; docs/operations.md lists every key of config.toml`,
    data: { key, origin },
    exit: EXIT.config,
  })
}

function readText(path: string, required: boolean): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    if (!required && (cause as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw new CotuneError('CONFIG_UNREADABLE', `cannot read ${path}: ${errorMessage(cause)}`, {
      hint: 'check config.toml in the home of this peer and its permissions',
      cause,
      data: { path },
      exit: EXIT.config,
    })
  }
}

function parseToml(text: string, path: string): Table {
  try {
    return parse(text) as Table
  } catch (cause) {
    const where = cause instanceof TomlError ? `:${cause.line}:${cause.column}` : ''
    const reason = errorMessage(cause).split('\n')[0]
    throw new CotuneError('CONFIG_SYNTAX', `${path}${where}: ${reason}`, {
      hint: 'the file is TOML: `key = "value"` under `[section]`',
      cause,
      data: { path },
      exit: EXIT.config,
    })
  }
}

function assertKnown(
  table: Table,
  node: ConfigNode,
  path: readonly string[],
  origin: (key: string) => string,
): void {
  if (node.kind !== 'section') return
  for (const [key, value] of Object.entries(table)) {
    const dotted = [...path, key].join('.')
    const child = node.keys.get(key)
    if (!child) throw unknownKey(dotted, origin(dotted), key, [...node.keys.keys()])
    if (isTable(value)) assertKnown(value, child, [...path, key], origin)
  }
}

function unknownKey(
  dotted: string,
  origin: string,
  key: string,
  known: readonly string[],
): CotuneError {
  const nearest = didYouMean(key, known)
  return new CotuneError('CONFIG_UNKNOWN_KEY', `${origin}: unknown key ${dotted}`, {
    hint: nearest ? `did you mean ${nearest}?` : `known keys here: ${known.join(', ')}`,
    data: { key: dotted, origin },
    exit: EXIT.config,
  })
}

/** The place that a variable names; undefined for one without `__` that is no key of ours (another tool may own it). */
function fromEnvironment(
  name: string,
  root: ConfigNode,
): { readonly path: readonly string[]; readonly node: ConfigNode } | undefined {
  const parts = name.slice('COTUNE_'.length).split('__')
  const path: string[] = []
  let node = root
  for (const part of parts) {
    if (node.kind === 'open') {
      path.push(camelCase(part))
      node = { kind: 'value' }
      continue
    }
    const keys: ReadonlyMap<string, ConfigNode> = node.kind === 'section' ? node.keys : new Map()
    const plain = part.replaceAll('_', '').toLowerCase()
    const match = [...keys].find(([key]) => key.toLowerCase() === plain)
    if (!match) {
      if (parts.length === 1) return undefined
      throw unknownKey(parts.join('.').toLowerCase(), name, plain, [...keys.keys()])
    }
    path.push(match[0])
    node = match[1]
  }
  // `COTUNE_MODELS` is the library's: no variable sets a whole section.
  if (node.kind === 'section') return undefined
  return { path, node }
}

/** `SAML_EPOCHS` as `samlEpochs`: keys of an open section are not known here, so the underscores say where the capitals are. */
function camelCase(part: string): string {
  return part.toLowerCase().replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}

/** Text stays text; lists are separated by commas; the rest reads as TOML's numbers and booleans do. */
function parseValue(text: string, node: ConfigNode): unknown {
  if (node.kind === 'text') return text
  if (node.kind === 'list') return text.split(',').map((item) => item.trim())
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function merge(
  target: Table,
  source: Table,
  path: readonly string[],
  origin: (key: string) => string,
  origins: Map<string, string>,
): void {
  for (const [key, value] of Object.entries(source)) {
    const here = [...path, key]
    if (isTable(value)) {
      const existing = target[key]
      const inner: Table = isTable(existing) ? existing : {}
      target[key] = inner
      merge(inner, value, here, origin, origins)
    } else {
      target[key] = value
      origins.set(here.join('.'), origin(here.join('.')))
    }
  }
}

/** Line of each dotted key, by headers and assignments at the start of a line: enough to point a person to it. */
function keyLines(text: string): ReadonlyMap<string, number> {
  const lines = new Map<string, number>()
  let section = ''
  for (const [index, line] of text.split('\n').entries()) {
    const header = /^\s*\[+\s*([^\]]+?)\s*\]+/.exec(line)?.[1]
    const key = /^\s*([\w.\-"' ]+?)\s*=/.exec(line)?.[1]
    if (header !== undefined) section = header.replaceAll(/["'\s]/g, '')
    const name = header === undefined ? key?.replaceAll(/["'\s]/g, '') : ''
    if (name === undefined) continue
    const dotted = [section, name].filter(Boolean).join('.')
    if (!lines.has(dotted)) lines.set(dotted, index + 1)
  }
  return lines
}

/** The line of a key, or of the table around it that is written in one line. */
function lineOf(lines: ReadonlyMap<string, number>, key: string): number {
  for (let parts = key.split('.'); parts.length > 0; parts = parts.slice(0, -1)) {
    const line = lines.get(parts.join('.'))
    if (line !== undefined) return line
  }
  return 1
}

function nest(path: readonly string[], value: unknown): Table {
  return path.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as Table
}

function withoutUndefined(table: Readonly<Record<string, unknown>>): Table {
  const entries = Object.entries(table)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => [key, isTable(value) ? withoutUndefined(value) : value])
  return Object.fromEntries(entries)
}

function isTable(value: unknown): value is Table {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
