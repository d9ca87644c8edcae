import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { packagePath, utf8 } from '#base'
import { createTokenizer, loadTokenizer, parseTokenizerFile, type Tokenizer } from '#learning/text'

const shared = packagePath('..', 'shared')
const recorded = ['stories260K', 'babyllama105', 'tok-gpt2', 'tok-unigram']
const real = [
  'gpt2/tokenizer',
  'gpt-neox-20b/20B_tokenizer',
  'phi-2/tokenizer',
  'mistral-v0.1/tokenizer',
  't5-small/tokenizer',
]

interface Case {
  readonly text: string
  readonly ids: readonly number[]
  /** Where Hugging Face and SentencePiece differ, what the former gives. */
  readonly hf_ids?: readonly number[]
  readonly decoded: string
}

const texts = [
  'Once upon a time, there was a little girl.',
  ' leading and trailing ',
  'two  spaces, three   spaces\nand\n\nlines\ttab',
  'naïve café, 日本語, emoji 🙂🙂, «quotes» — dash…',
  'cafe\u0301 combining, ﬁ ligature, ＡＢＣ wide',
  'x = 3.14 * (a + b); // 50% </s> <unk> <0x41>',
  '',
]

describe.skipIf(!existsSync(shared))('tokenizers with recorded cases (needs ../shared)', () => {
  test.each(recorded)('%s gives the recorded ids and texts', async (name) => {
    const folder = `${shared}/checkpoints/${name}`
    const tokenizer = await loadTokenizer(folder, { parseSpecialTokens: true })
    const golden: { tokenizer_cases: readonly Case[] } = JSON.parse(
      readFileSync(`${folder}/golden.json`, 'utf8'),
    )
    expect(golden.tokenizer_cases.length).toBeGreaterThan(30)
    for (const { text, ids, hf_ids = ids, decoded } of golden.tokenizer_cases) {
      expect(Array.from(tokenizer.encode(text).ids), text).toEqual(hf_ids)
      expect(tokenizer.decode(hf_ids), text).toBe(decoded)
    }
  })

  test.each(recorded)('%s tells where tokens end', async (name) => {
    expectEnds(await loadTokenizer(`${shared}/checkpoints/${name}`))
  })

  test.each(real)('%s tells where tokens end', (name) => {
    const text = readFileSync(`${shared}/data/tokenizers/${name}.json`, 'utf8')
    expectEnds(createTokenizer(parseTokenizerFile(JSON.parse(text), name)))
  })

  test.each(
    existsSync(shared)
      ? readdirSync(`${shared}/checkpoints/bad`).filter((name) => /^tokenizer/.test(name))
      : [],
  )('bad/%s is refused', async (name) => {
    const folder = `${shared}/checkpoints/bad/${name}`
    const expected = readFileSync(`${folder}/expected.txt`, 'utf8').replace(
      'error: tokenizer.json',
      '',
    )
    await expect(loadTokenizer(folder)).rejects.toMatchObject({
      code: expect.stringMatching(/^TOKENIZER_(ID_RANGE|UNSUPPORTED)$/),
      message: expect.stringContaining(expected.trim()),
    })
  })
})

function expectEnds(tokenizer: Tokenizer): void {
  for (const text of texts) {
    const { ids, ends } = tokenizer.encode(text)
    const bytes = utf8(text)
    expect(ends.length).toBe(ids.length)
    let start = 0
    for (let i = 0; i < ids.length; i++) {
      const end = ends[i]!
      expect(end, text).toBeGreaterThanOrEqual(start)
      const surface = tokenizer.tokenBytes(ids[i]!)
      const plain = new TextDecoder().decode(bytes.subarray(start, end)).trim()
      // What only ASCII letters spell is never changed by a normalizer, so it must stand there in the text.
      if (surface && /^ ?[a-z]{2,}$/.test(plain)) {
        expect(new TextDecoder().decode(surface).trim().toLowerCase(), text).toBe(plain)
      }
      start = end
    }
    if (ids.length > 0) expect(start, text).toBe(bytes.length)
  }
}

test.each([
  [
    'a pattern that is neither text nor expression',
    { pre_tokenizer: { type: 'Split', pattern: {} } },
  ],
  ['a nested component without a type', { decoder: { type: 'Sequence', decoders: [null] } }],
])('a file with %s is malformed', (_, parts) => {
  const file = { model: { type: 'BPE', vocab: { '</s>': 0 }, merges: [] }, ...parts }
  expect(() => parseTokenizerFile(file, 'test')).toThrow(
    expect.objectContaining({ code: 'TOKENIZER_MALFORMED' }),
  )
})

test('options that the library chokes on only in use are refused at once', () => {
  const file = parseTokenizerFile(
    {
      added_tokens: [{ id: 0, content: '</s>', special: true }],
      decoder: { type: 'Strip', content: { toString: 1 }, start: 1, stop: 0 },
      model: {
        type: 'BPE',
        vocab: { '</s>': 0, A: 1 },
        merges: [],
        end_of_word_suffix: { toString: 1 },
      },
    },
    'test',
  )
  expect(() => createTokenizer(file)).toThrow(
    expect.objectContaining({ code: 'TOKENIZER_UNSUPPORTED' }),
  )
})
