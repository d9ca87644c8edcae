import type { Random } from '#base'
import { type Draft, type ExampleDomain, type Lexicon, phrase, say } from '../phrase.ts'

interface Dish {
  readonly station: string
  readonly names: readonly string[]
  readonly extras: readonly string[]
}

const DISHES: Readonly<Record<string, Dish>> = {
  burger: {
    station: 'grill',
    names: ['burger', 'hamburger', 'beef bun'],
    extras: ['onion', 'cheese', 'pickles', 'bacon'],
  },
  fries: {
    station: 'fryer',
    names: ['fries', 'chips', 'french fries'],
    extras: ['salt', 'mayo', 'ketchup'],
  },
  cola: {
    station: 'bar',
    names: ['cola', 'coke', 'cola drink'],
    extras: ['ice', 'lemon', 'straw'],
  },
  salad: {
    station: 'cold',
    names: ['salad', 'mixed leaves', 'green salad'],
    extras: ['nuts', 'onion', 'dressing', 'egg'],
  },
  pizza: {
    station: 'oven',
    names: ['pizza', 'margherita', 'pizza pie'],
    extras: ['olives', 'cheese', 'chili', 'basil'],
  },
  soup: {
    station: 'stove',
    names: ['soup', 'soup of the day', 'bowl of broth'],
    extras: ['cream', 'bread', 'pepper'],
  },
  steak: {
    station: 'grill',
    names: ['steak', 'sirloin', 'rump steak'],
    extras: ['butter', 'pepper', 'sauce'],
  },
  coffee: {
    station: 'bar',
    names: ['coffee', 'filter coffee', 'cup of joe'],
    extras: ['milk', 'sugar', 'cream'],
  },
  cake: {
    station: 'pastry',
    names: ['cake', 'slice of cake', 'chocolate cake'],
    extras: ['cream', 'nuts', 'sugar'],
  },
  pasta: {
    station: 'stove',
    names: ['pasta', 'spaghetti', 'noodles'],
    extras: ['cheese', 'garlic', 'chili', 'basil'],
  },
  wings: {
    station: 'fryer',
    names: ['wings', 'chicken wings', 'hot wings'],
    extras: ['sauce', 'salt', 'chili'],
  },
  sandwich: {
    station: 'cold',
    names: ['sandwich', 'club sandwich', 'toasted sandwich'],
    extras: ['mayo', 'egg', 'bacon', 'tomato'],
  },
  juice: {
    station: 'bar',
    names: ['juice', 'orange juice', 'fresh juice'],
    extras: ['ice', 'sugar', 'straw'],
  },
  fish: {
    station: 'fryer',
    names: ['fish', 'battered cod', 'fish fillet'],
    extras: ['lemon', 'salt', 'sauce'],
  },
  pancake: {
    station: 'pastry',
    names: ['pancake', 'crepe', 'flapjack'],
    extras: ['sugar', 'syrup', 'butter'],
  },
  omelette: {
    station: 'stove',
    names: ['omelette', 'egg omelette', 'folded eggs'],
    extras: ['cheese', 'ham', 'pepper'],
  },
}

const COUNTS: Lexicon = {
  1: ['a', 'one', 'one', 'just one'],
  2: ['two', 'a couple of', '2', 'a pair of'],
  3: ['three', '3', 'three times'],
  4: ['four', '4', 'two times two'],
  6: ['six', '6', 'half a dozen'],
  5: ['five', '5'],
  12: ['twelve', 'a dozen', '12'],
  8: ['eight', '8'],
}

const CHANGES: Lexicon = {
  no: [
    'without {extra}',
    'no {extra}',
    'hold the {extra}',
    'leave out the {extra}',
    'I am allergic to {extra}',
  ],
  extra: ['with extra {extra}', 'more {extra} please', 'double {extra}', 'plenty of {extra}'],
  side: ['{extra} on the side', '{extra} apart', 'put the {extra} in a little bowl'],
  light: ['easy on the {extra}', 'only a little {extra}', 'go light on {extra}'],
}

const TABLES = '(|||for table {n}|, table {n}|, we sit at {n})'
const OPENING =
  '(|||can I get|I would like|we take|let us have|give me|for me|my friend wants|make that)'
const CLOSING = '(||||please|thanks|, that is all|, when you can|, quickly)'

/** Spoken orders: tickets in the form `count dish change extra`, the station, or the number of things. */
export const kitchen: ExampleDomain = {
  name: 'kitchen',
  draw: (random) => random.pick([ticket, ticket, ticket, station, total])(random),
}

interface Line {
  readonly text: string
  readonly ticket: string
  readonly dish: Dish
  readonly count: number
}

function line(random: Random, change: boolean): Line {
  const [name, words] = say(
    random,
    Object.fromEntries(Object.entries(DISHES).map(([dish, { names }]) => [dish, names])),
  )
  const dish = DISHES[name]!
  const [count, countWords] = say(random, COUNTS)
  const order = `${countWords} ${count === '1' ? words : plural(words)}`
  if (!change) return { text: order, ticket: `${count} ${name}`, dish, count: Number(count) }
  const [kind, way] = say(random, CHANGES)
  const extra = random.pick(dish.extras)
  return {
    text: `${order} ${phrase(random, way, { extra })}`,
    ticket: `${count} ${name} ${kind} ${extra}`,
    dish,
    count: Number(count),
  }
}

const UNCOUNTED = /(?:s|fish|spaghetti|pasta)$/

function plural(words: string): string {
  const [head = '', ...rest] = words.split(/(?= of )/)
  return (UNCOUNTED.test(head) ? head : `${head}s`) + rest.join('')
}

function spoken(random: Random, body: string): string {
  const n = String(1 + random.integer(30))
  return phrase(random, `${OPENING} {body} ${TABLES} ${CLOSING}`, { body, n }).replaceAll('{n}', n)
}

function ticket(random: Random): Draft {
  const first = line(random, random.next() < 0.7)
  const second = random.next() < 0.4 ? line(random, false) : undefined
  const joined = second
    ? `${first.text} ${random.pick(['and', 'plus', 'and also'])} ${second.text}`
    : first.text
  return {
    task: 'kitchen_ticket',
    instruction: 'Write the kitchen ticket for this order.',
    input: spoken(random, joined),
    output: second ? `${first.ticket}, ${second.ticket}` : first.ticket,
  }
}

function station(random: Random): Draft {
  const { text, dish } = line(random, random.next() < 0.6)
  return {
    task: 'kitchen_station',
    instruction: 'Name the station that makes this order.',
    input: spoken(random, text),
    output: dish.station,
  }
}

function total(random: Random): Draft {
  const first = line(random, false)
  const second = line(random, random.next() < 0.3)
  return {
    task: 'kitchen_count',
    instruction: 'Say how many plates and glasses this order needs.',
    input: spoken(random, `${first.text} and ${second.text}`),
    output: String(first.count + second.count),
  }
}
