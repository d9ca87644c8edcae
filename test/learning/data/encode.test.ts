import { describe, expect, test } from 'vitest'
import { utf8 } from '#base'
import { encodeExample, encodeText } from '#learning/data'
import { byteLevelTokenizer, unigramTokenizer } from '../align/toy-tokenizers.ts'

const example = { instruction: 'Write it.', input: 'lamp on, please', output: 'café lamp 12' }

describe.each([
  ['byte-level', byteLevelTokenizer(290)],
  ['unigram', unigramTokenizer(300)],
])('%s', (_, tokenizer) => {
  test('prompt and answer are told apart, the end of the sequence comes last', () => {
    const { tokens, answerStart, answerEnds, answerBytes } = encodeExample(tokenizer, example, {
      maxLength: 200,
    })
    expect(tokenizer.decode(tokens.subarray(0, answerStart))).toBe('Write it.\nlamp on, please\n= ')
    expect(tokenizer.decode(tokens.subarray(answerStart))).toBe(example.output)
    expect(tokens.at(-1)).toBe(tokenizer.eosId)
    expect(answerEnds.length).toBe(tokens.length - answerStart)
    expect(answerBytes).toBe(utf8(example.output).length)
    expect(Array.from(answerEnds.slice(-2))).toEqual([answerBytes, answerBytes])
  })

  test('a long prompt loses its beginning', () => {
    const whole = encodeExample(tokenizer, example, { maxLength: 200 })
    const answer = whole.tokens.length - whole.answerStart
    const cut = encodeExample(tokenizer, example, { maxLength: answer + 5 })
    expect(cut.answerStart).toBe(5)
    expect(cut.tokens).toEqual(whole.tokens.slice(whole.answerStart - 5))
    expect(cut.answerBytes).toBe(whole.answerBytes)
  })

  test('a long answer loses its end, and its bytes are those that are left', () => {
    const long = { ...example, output: 'lamp '.repeat(20_000) }
    const cut = encodeExample(tokenizer, long, { maxLength: 16 })
    expect(cut.tokens.length).toBe(16)
    expect(cut.answerStart).toBe(1)
    expect(cut.answerBytes).toBe(cut.answerEnds.at(-1))
    expect(cut.answerBytes).toBeLessThan(100)
  })

  test('running text is learnt wholly, each token once', () => {
    const text = 'turn on the lamp please, '.repeat(10)
    const { ids } = tokenizer.encode(text)
    const sequences = encodeText(tokenizer, text, 8)
    const learnt = sequences.flatMap((s) => Array.from(s.tokens.slice(s.answerStart)))
    expect(learnt).toEqual(Array.from(ids.slice(1)))
    expect(sequences.every((s) => s.tokens.length <= 8)).toBe(true)
  })
})
