import { shown } from './shown.ts'

/** Deeper nesting has no use in the files we read and would exhaust the stack of whoever walks it. */
const MAX_DEPTH = 64

export type JsonReading =
  | { readonly value: unknown }
  | {
      /** What is wrong, as a predicate: "is not valid JSON". */
      readonly problem: string
      readonly repeatedKey?: string
      readonly cause?: unknown
    }

/**
 * Reads JSON from elsewhere more strictly than JSON.parse: UTF-8 without faults, at most 64 levels deep, and no object
 * that names a key twice, since readers differ in which of the two they believe.
 */
export function readJson(bytes: Uint8Array): JsonReading {
  let json: string
  try {
    json = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    return { problem: 'is not valid UTF-8', cause }
  }
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch (cause) {
    return { problem: 'is not valid JSON', cause }
  }
  return structureProblem(json) ?? { value }
}

/**
 * What JSON.parse does not mind. `json` is known to be right in its syntax. A scan by hand: a regular expression could
 * exhaust its stack on a hostile key.
 */
function structureProblem(json: string): Exclude<JsonReading, { value: unknown }> | undefined {
  /** Keys of each open object; undefined for an open list. */
  const open: (Set<string> | undefined)[] = []
  for (let i = 0; i < json.length; i++) {
    const character = json[i]
    if (character === '{' || character === '[') {
      if (open.length === MAX_DEPTH) return { problem: `is nested deeper than ${MAX_DEPTH} levels` }
      open.push(character === '{' ? new Set() : undefined)
    } else if (character === '}' || character === ']') open.pop()
    else if (character === '"') {
      const begin = i
      for (i++; json[i] !== '"'; i++) if (json[i] === '\\') i++
      const keys = open.at(-1)
      if (keys === undefined || !isKey(json, i + 1)) continue
      const key = JSON.parse(json.slice(begin, i + 1)) as string
      if (keys.has(key)) return { problem: `names ${shown(key)} twice`, repeatedKey: key }
      keys.add(key)
    }
  }
  return undefined
}

/** Whether the string that ends before `index` is followed by a colon. */
function isKey(json: string, index: number): boolean {
  let i = index
  while (/\s/.test(json[i] ?? '')) i++
  return json[i] === ':'
}
