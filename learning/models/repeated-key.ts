/**
 * The first key that occurs twice at the top level of `json`, an object whose syntax is known to be right.
 * JSON.parse would silently keep the last. A scan by hand: a regular expression could exhaust its stack on a hostile key.
 */
export function repeatedKey(json: string): string | undefined {
  const seen = new Set<string>()
  let depth = 0
  for (let i = 0; i < json.length; i++) {
    const character = json[i]
    if (character === '{' || character === '[') depth++
    else if (character === '}' || character === ']') depth--
    else if (character === '"') {
      const begin = i
      for (i++; json[i] !== '"'; i++) if (json[i] === '\\') i++
      if (depth !== 1 || !isKey(json, i + 1)) continue
      const key = JSON.parse(json.slice(begin, i + 1)) as string
      if (seen.has(key)) return key
      seen.add(key)
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
