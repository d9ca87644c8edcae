import type { Random } from '#base'

/** What a domain draws: one task, what somebody says, and the answer. */
export interface Draft {
  readonly task: string
  readonly instruction: string
  readonly input: string
  readonly output: string
}

/** A domain of the examples: draws one example at a time. */
export interface ExampleDomain {
  readonly name: string
  draw(random: Random): Draft
}

/** A meaning and the ways to say it. */
export type Lexicon = Readonly<Record<string, readonly string[]>>

/** One of `(a|b|c)` each, then `{name}` by its value; an empty choice leaves nothing. */
export function phrase(
  random: Random,
  template: string,
  values: Readonly<Record<string, string>> = {},
): string {
  const chosen = template.replace(/\(([^()]*)\)/g, (_, choices: string) =>
    random.pick(choices.split('|')),
  )
  const filled = chosen.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? '')
  return filled
    .replace(/\s+/g, ' ')
    .replace(/ ([,.!?])/g, '$1')
    .trim()
}

/** The first items often, the last ones seldom (weights 1, 1/2, 1/3, ...), so that some meanings are rare in the data. */
export function pickSkewed<T>(random: Random, items: readonly T[]): T {
  const total = items.reduce((sum, _, rank) => sum + 1 / (rank + 1), 0)
  let rest = random.next() * total
  for (const [rank, item] of items.entries()) {
    rest -= 1 / (rank + 1)
    if (rest < 0) return item
  }
  return items[0]!
}

/** A meaning of the lexicon (the first ones more often) and one way to say it. */
export function say(random: Random, lexicon: Lexicon): readonly [meaning: string, words: string] {
  const [meaning, ways] = pickSkewed(random, Object.entries(lexicon))
  return [meaning, random.pick(ways)]
}

/** As people type and speak: lower case, no full stop, a slip of the finger here and there. */
export function roughen(random: Random, text: string): string {
  let rough = text
  if (random.next() < 0.12) rough = slip(random, rough)
  if (random.next() < 0.5) return rough.toLowerCase().replace(/[.!]$/, '')
  return rough[0]!.toUpperCase() + rough.slice(1)
}

function slip(random: Random, text: string): string {
  const words = text.split(' ')
  const long = words.flatMap((word, i) => (/^[a-z]{5,}$/.test(word) ? [i] : []))
  if (long.length === 0) return text
  const index = random.pick(long)
  const word = words[index]!
  const at = 1 + random.integer(word.length - 2)
  const slips = [
    word.slice(0, at) + word.slice(at + 1),
    word.slice(0, at) + word[at] + word.slice(at),
    word.slice(0, at) + word[at + 1] + word[at] + word.slice(at + 2),
  ]
  return words.with(index, random.pick(slips)).join(' ')
}
