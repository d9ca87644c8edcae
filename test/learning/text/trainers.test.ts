import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createRandom, utf8 } from '#base'
import {
  createTokenizer,
  loadTokenizer,
  saveTokenizer,
  trainBpe,
  trainUnigram,
} from '#learning/text'

const words =
  'the a kettle lamp lamps lamplight kitchen turning turned turn off on please 12 café'.split(' ')

function corpus(lines: number): string[] {
  const random = createRandom('corpus')
  return Array.from(
    { length: lines },
    () => `${Array.from({ length: 9 }, () => random.pick(words)).join(' ')}, ok.\n`,
  )
}

const trainers = {
  bpe: (size: number) =>
    trainBpe(corpus(200), {
      vocabularySize: size,
      specialTokens: ['<|endoftext|>'],
      preTokenizer: 'byte-level',
    }),
  unigram: (size: number) =>
    trainUnigram(corpus(200), {
      vocabularySize: size,
      specialTokens: ['<pad>', '</s>'],
      characterCoverage: 1,
    }),
}

describe.each(Object.keys(trainers) as (keyof typeof trainers)[])('%s trainer', (kind) => {
  const file = trainers[kind](290)
  const tokenizer = createTokenizer(file)

  test('gives the size asked for, the same each time', () => {
    expect(tokenizer.vocabularySize).toBe(290)
    expect(trainers[kind](290)).toEqual(file)
  })

  test('learned frequent words as one token', () => {
    const tokens = tokenizer.encode('turn the kettle').ids
    expect(tokens.length).toBeLessThanOrEqual(6)
  })

  test('any text comes back, with ends that cover it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), fc.nat(3), (part, spaces) => {
        const gap = ' '.repeat(spaces)
        const text =
          `${gap}${part}\n\n${gap}lamp </s> <0x41> ${part}<|endoftext|>${gap}`.replaceAll(
            '\u2581',
            '_',
          )
        const { ids, ends } = tokenizer.encode(text)
        expect(tokenizer.decode(ids)).toBe(text)
        expect(ends.at(-1)).toBe(utf8(text).length)
        expect(ids).not.toContain(tokenizer.eosId)
        let start = 0
        for (const [i, end] of ends.entries()) {
          const width = tokenizer.tokenBytes(ids[i]!)!.length
          expect([width, width - (i === 0 ? 1 : 0)]).toContain(end - start)
          start = end
        }
      }),
      { numRuns: 200 },
    )
  })

  test('digits stand alone', () => {
    const { ids } = tokenizer.encode('turn 1212')
    const single = Array.from(ids.slice(-4), (id) =>
      new TextDecoder().decode(tokenizer.tokenBytes(id)),
    )
    expect(single).toEqual(['1', '2', '1', '2'])
  })

  test('a saved tokenizer loads as the same', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'cotune-text-'))
    try {
      const eosToken = kind === 'bpe' ? '<|endoftext|>' : '</s>'
      await saveTokenizer(folder, file, { eosToken })
      const loaded = await loadTokenizer(folder)
      expect(loaded.digest).toBe(tokenizer.digest)
      expect(loaded.eosId).toBe(tokenizer.eosId)
      expect(loaded.encode('turned off the lamplight').ids).toEqual(
        tokenizer.encode('turned off the lamplight').ids,
      )
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})

test('byte pair merges equal those of a slow twin that recounts after each merge', () => {
  const texts = ['low lower lowest', ' newer newest widest', 'aaaa aaa aa', 'lower newer slower']
  const file = trainBpe(texts, {
    vocabularySize: 275,
    specialTokens: [],
    preTokenizer: 'byte-level',
  })
  expect(file.model).toMatchObject({ merges: slowMerges(texts, 275 - 256) })
})

/** Counts all pairs anew for each merge; ASCII words with the space before them. */
function slowMerges(texts: readonly string[], count: number): [string, string][] {
  const split = texts.flatMap((text) => text.match(/ ?\S+/g) ?? [])
  let spelled = split.map((word) => Array.from(word.replaceAll(' ', 'Ġ')))
  const order = Array.from({ length: 256 }, (_, byte) =>
    byte === 32 ? 'Ġ' : String.fromCharCode(byte),
  )
  const merges: [string, string][] = []
  while (merges.length < count) {
    const pairs = new Map<string, number>()
    for (const word of spelled) {
      for (let i = 0; i + 1 < word.length; i++) {
        const key = `${order.indexOf(word[i]!)} ${order.indexOf(word[i + 1]!)}`
        pairs.set(key, (pairs.get(key) ?? 0) + 1)
      }
    }
    const [best] = [...pairs]
      .map(([key, n]) => ({ n, ids: key.split(' ').map(Number) }))
      .sort((a, b) => b.n - a.n || a.ids[0]! - b.ids[0]! || a.ids[1]! - b.ids[1]!)
    if (best === undefined || best.n < 2) break
    const [left, right] = best.ids.map((id) => order[id]!) as [string, string]
    merges.push([left, right])
    order.push(left + right)
    spelled = spelled.map((word) => {
      const out: string[] = []
      for (let i = 0; i < word.length; i++) {
        const joins = word[i] === left && word[i + 1] === right
        out.push(joins ? left + right : word[i]!)
        if (joins) i++
      }
      return out
    })
  }
  return merges
}
