/** What one token covers: its bytes, nothing (`undefined`), or some text that it does not tell. */
export type TokenSurface = Uint8Array | undefined | 'unknown'

const UNKNOWN = -1
const SPACE = 0x20
/** So many bytes must agree before two texts count as in step again. */
const AGREEMENT = 3
const MAX_GAP = 256

/**
 * The end byte of each token in `text`. Where the tokens spell the text out, a running sum; a space that the
 * tokenizer put before the text has no width. Where a normalizer changed the text or a token is unknown, both are walked
 * side by side and a stretch that differs ends as a whole.
 *
 * @param tokens what each token covers, in order
 * @param text UTF-8
 */
export function byteEnds(tokens: readonly TokenSurface[], text: Uint8Array): Int32Array {
  return spelledEnds(tokens, text) ?? walkedEnds(tokens, text)
}

function spelledEnds(tokens: readonly TokenSurface[], text: Uint8Array): Int32Array | undefined {
  const ends = new Int32Array(tokens.length)
  let length = 0
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i]
    if (token === 'unknown') return undefined
    length += token?.length ?? 0
    ends[i] = length
  }
  const prefix = length - text.length
  if (prefix !== 0 && prefix !== 1) return undefined
  let position = -prefix
  for (const token of tokens) {
    if (token === undefined) continue
    for (const byte of token as Uint8Array) {
      if (byte !== (position < 0 ? SPACE : text[position])) return undefined
      position++
    }
  }
  if (prefix === 1) for (let i = 0; i < ends.length; i++) ends[i] = Math.max(0, ends[i]! - 1)
  return ends
}

function walkedEnds(tokens: readonly TokenSurface[], text: Uint8Array): Int32Array {
  const spelled: number[] = []
  const lengths = tokens.map((token) => {
    if (token === undefined) return 0
    if (token === 'unknown') return spelled.push(UNKNOWN) && 1
    for (const byte of token) spelled.push(byte)
    return token.length
  })
  const spelledEnd = walk(spelled, text)
  const ends = new Int32Array(tokens.length)
  let position = 0
  for (let i = 0; i < tokens.length; i++) {
    position += lengths[i]!
    ends[i] = position === 0 ? 0 : spelledEnd[position - 1]!
  }
  return ends
}

/** For each spelled byte, where the text stands after it. */
function walk(spelled: readonly number[], text: Uint8Array): Int32Array {
  const ends = new Int32Array(spelled.length)
  let i = 0
  let j = 0
  while (j < spelled.length) {
    if (i < text.length && agree(spelled[j]!, text[i]!)) {
      ends[j++] = ++i
      continue
    }
    const [skipText, skipSpelled] = nextAgreement(spelled, j, text, i)
    i += skipText
    for (let k = 0; k < skipSpelled; k++) ends[j++] = i
  }
  if (spelled.length > 0 && i < text.length) closeEnd(ends, i, text.length)
  return ends
}

/** Text left over at the end belongs to the tokens that end last. */
function closeEnd(ends: Int32Array, from: number, to: number): void {
  for (let j = ends.length - 1; j >= 0 && ends[j] === from; j--) ends[j] = to
}

/** The shortest stretch of both to step over, so that they agree again; all that is left if they never do. */
function nextAgreement(
  spelled: readonly number[],
  j: number,
  text: Uint8Array,
  i: number,
): readonly [number, number] {
  const restSpelled = spelled.length - j
  const restText = text.length - i
  // An unknown token covers something: at least itself and one byte.
  const least = spelled[j] === UNKNOWN ? 1 : 0
  const limit = Math.min(MAX_GAP, restSpelled + restText)
  for (let distance = Math.max(1, 2 * least); distance <= limit; distance++) {
    for (let a = Math.min(distance - least, restText); a >= least && distance - a >= 0; a--) {
      const b = distance - a
      if (b > restSpelled || b < least) continue
      if (agreesFrom(spelled, j + b, text, i + a)) return [a, b]
    }
  }
  return [restText, restSpelled]
}

function agreesFrom(spelled: readonly number[], j: number, text: Uint8Array, i: number): boolean {
  const length = Math.min(AGREEMENT, spelled.length - j)
  if (length === 0) return i === text.length
  for (let k = 0; k < length; k++) {
    if (i + k >= text.length || !agree(spelled[j + k]!, text[i + k]!))
      return k > 0 && spelled[j + k] === UNKNOWN
  }
  return true
}

/** Equal but for ASCII case, which a normalizer may have lowered. */
function agree(a: number, b: number): boolean {
  return a === b || (a === b + 0x20 && b >= 0x41 && b <= 0x5a)
}
