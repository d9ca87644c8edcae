import { describe, expect, it } from 'vitest'
import { judgeVersion } from '../../daemon/rounds/judge-version.ts'

const tolerance = { maxPerplexityGrowth: 0.1, maxExactMatchLoss: 10 }
const scores = (em: number, perplexityPerByte: number) => ({
  em,
  rougeL: em,
  examples: 20,
  perplexityPerByte,
})

describe('judgeVersion', () => {
  it.each([
    ['better', scores(50, 1.5), true],
    ['a little worse', scores(41, 2.1), true],
    ['clearly less likely', scores(60, 2.3), false],
    ['clearly fewer matches', scores(30, 1.5), false],
    ['not a number', scores(50, Number.NaN), false],
    ['without bound', scores(50, Number.POSITIVE_INFINITY), false],
  ])('%s', (_, after, kept) => {
    expect(judgeVersion(scores(50, 2), after, tolerance).kept).toBe(kept)
  })
})
