import { stem } from './porter-stemmer.ts'

/** Shorter words are not stemmed. */
const LONGEST_UNSTEMMED = 3

/**
 * Rouge-L: the F1 of the longest common subsequence of stemmed words, 0 to 1. As `rougeL` of the `rouge_score` package with its
 * Porter stemmer (Lin 2004, over the whole text).
 */
export function rougeL(prediction: string, reference: string): number {
  const predicted = rougeTokens(prediction)
  const expected = rougeTokens(reference)
  const common = longestCommonSubsequence(predicted, expected)
  return common === 0 ? 0 : (2 * common) / (predicted.length + expected.length)
}

/** Lower-case runs of ASCII letters and digits, longer ones stemmed. */
function rougeTokens(text: string): string[] {
  const words = text.toLowerCase().match(/[a-z0-9]+/g) ?? []
  return words.map((word) => (word.length > LONGEST_UNSTEMMED ? stem(word) : word))
}

function longestCommonSubsequence(a: readonly string[], b: readonly string[]): number {
  let previous = new Int32Array(b.length + 1)
  let current = new Int32Array(b.length + 1)
  for (const word of a) {
    for (let j = 1; j <= b.length; j++) {
      const match = word === b[j - 1] ? previous[j - 1]! + 1 : 0
      current[j] = Math.max(match, previous[j]!, current[j - 1]!)
    }
    ;[previous, current] = [current, previous]
  }
  return previous[b.length]!
}
