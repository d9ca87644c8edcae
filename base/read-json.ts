import { shown } from './shown.ts'

/** Deeper nesting has no use in the files we read and would exhaust the stack of whoever walks it. */
const MAX_DEPTH = 64

const [QUOTE, BACKSLASH] = [0x22, 0x5c]
const [OPEN_OBJECT, CLOSE_OBJECT, OPEN_LIST, CLOSE_LIST] = [0x7b, 0x7d, 0x5b, 0x5d]

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
  // First, since JSON.parse takes memory for each level.
  if (isTooDeep(bytes)) return { problem: `is nested deeper than ${MAX_DEPTH} levels` }
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
  const repeated = repeatedKey(json)
  if (repeated === undefined) return { value }
  return { problem: `names ${shown(repeated)} twice`, repeatedKey: repeated }
}

/** Whether brackets open deeper than allowed; of bytes that may be no JSON at all. */
function isTooDeep(bytes: Uint8Array): boolean {
  let depth = 0
  let inString = false
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]
    if (byte === QUOTE) inString = !inString
    else if (inString) {
      if (byte === BACKSLASH) i++
    } else if (byte === OPEN_OBJECT || byte === OPEN_LIST) {
      if (++depth > MAX_DEPTH) return true
    } else if (byte === CLOSE_OBJECT || byte === CLOSE_LIST) depth--
  }
  return false
}

/**
 * The first key that an object in `json` names twice; JSON.parse would silently keep the last. `json` is known to be
 * right in its syntax. A scan by hand: a regular expression could exhaust its stack on a hostile key.
 */
function repeatedKey(json: string): string | undefined {
  /** Keys of each open object; undefined for an open list. */
  const open: (Set<string> | undefined)[] = []
  for (let i = 0; i < json.length; i++) {
    const character = json[i]
    if (character === '{') open.push(new Set())
    else if (character === '[') open.push(undefined)
    else if (character === '}' || character === ']') open.pop()
    else if (character === '"') {
      const begin = i
      for (i++; json[i] !== '"'; i++) if (json[i] === '\\') i++
      const keys = open.at(-1)
      if (keys === undefined || !isKey(json, i + 1)) continue
      const key = JSON.parse(json.slice(begin, i + 1)) as string
      if (keys.has(key)) return key
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
