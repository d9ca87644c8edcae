/**
 * Porter's stemmer (Program 14.3, 1980) with the extensions of the NLTK, which `rouge_score` uses: the reference scores are made
 * with it, and the original algorithm differs on words such as "dying", "spied", "enjoys" or "gracefully".
 */
export function stem(word: string): string {
  const lower = word.toLowerCase()
  const irregular = IRREGULAR.get(lower)
  if (irregular !== undefined) return irregular
  if (lower.length <= 2) return lower
  const steps = [plural, pastOrGerund, finalY, step2, step3, step4, finalE, doubleL]
  return steps.reduce((stemmed, step) => step(stemmed), lower)
}

const IRREGULAR = new Map(
  Object.entries({
    sky: ['sky', 'skies'],
    die: ['dying'],
    lie: ['lying'],
    tie: ['tying'],
    news: ['news'],
    inning: ['innings', 'inning'],
    outing: ['outings', 'outing'],
    canning: ['cannings', 'canning'],
    howe: ['howe'],
    proceed: ['proceed'],
    exceed: ['exceed'],
    succeed: ['succeed'],
  }).flatMap(([root, forms]) => forms.map((form) => [form, root] as const)),
)

/** Ending, what takes its place, and what the rest must be. Only the first ending that fits is tried. */
type Rule = readonly [ending: string, replacement: string, condition?: (rest: string) => boolean]

function applyFirst(
  word: string,
  rules: readonly Rule[],
  usual: (rest: string) => boolean,
): string {
  const rule = rules.find(([ending]) => word.endsWith(ending))
  if (rule === undefined) return word
  const [ending, replacement, condition = usual] = rule
  const rest = word.slice(0, word.length - ending.length)
  return condition(rest) ? rest + replacement : word
}

/** Step 1a. */
function plural(word: string): string {
  if (word.endsWith('ies') && word.length === 4) return word.slice(0, -1)
  const rules: readonly Rule[] = [
    ['sses', 'ss'],
    ['ies', 'i'],
    ['ss', 'ss'],
    ['s', ''],
  ]
  return applyFirst(word, rules, () => true)
}

/** Step 1b. */
function pastOrGerund(word: string): string {
  if (word.endsWith('ied')) return word.slice(0, word.length === 4 ? -1 : -2)
  if (word.endsWith('eed')) return measure(word.slice(0, -3)) > 0 ? word.slice(0, -1) : word
  const ending = ['ed', 'ing'].find(
    (end) => word.endsWith(end) && hasVowel(word.slice(0, -end.length)),
  )
  if (ending === undefined) return word
  const rest = word.slice(0, -ending.length)
  if (/(?:at|bl|iz)$/.test(rest)) return `${rest}e`
  if (endsDouble(rest)) return /[lsz]$/.test(rest) ? rest : rest.slice(0, -1)
  return measure(rest) === 1 && endsShort(rest) ? `${rest}e` : rest
}

/** Step 1c. */
function finalY(word: string): string {
  const rest = word.slice(0, -1)
  const turns = word.endsWith('y') && rest.length > 1 && isConsonant(rest, rest.length - 1)
  return turns ? `${rest}i` : word
}

const STEP_2: readonly Rule[] = [
  ['ational', 'ate'],
  ['tional', 'tion'],
  ['enci', 'ence'],
  ['anci', 'ance'],
  ['izer', 'ize'],
  ['bli', 'ble'],
  ['alli', 'al'],
  ['entli', 'ent'],
  ['eli', 'e'],
  ['ousli', 'ous'],
  ['ization', 'ize'],
  ['ation', 'ate'],
  ['ator', 'ate'],
  ['alism', 'al'],
  ['iveness', 'ive'],
  ['fulness', 'ful'],
  ['ousness', 'ous'],
  ['aliti', 'al'],
  ['iviti', 'ive'],
  ['biliti', 'ble'],
  ['fulli', 'ful'],
  ['logi', 'log', (rest) => measure(`${rest}l`) > 0],
]

function step2(word: string): string {
  const isAlli = word.endsWith('alli') && isPositive(word.slice(0, -4))
  return isAlli ? step2(word.slice(0, -2)) : applyFirst(word, STEP_2, isPositive)
}

const STEP_3: readonly Rule[] = [
  ['icate', 'ic'],
  ['ative', ''],
  ['alize', 'al'],
  ['iciti', 'ic'],
  ['ical', 'ic'],
  ['ful', ''],
  ['ness', ''],
]

function step3(word: string): string {
  return applyFirst(word, STEP_3, isPositive)
}

const STEP_4: readonly Rule[] = [
  ['al', ''],
  ['ance', ''],
  ['ence', ''],
  ['er', ''],
  ['ic', ''],
  ['able', ''],
  ['ible', ''],
  ['ant', ''],
  ['ement', ''],
  ['ment', ''],
  ['ent', ''],
  ['ion', '', (rest) => measure(rest) > 1 && /[st]$/.test(rest)],
  ['ou', ''],
  ['ism', ''],
  ['ate', ''],
  ['iti', ''],
  ['ous', ''],
  ['ive', ''],
  ['ize', ''],
]

function step4(word: string): string {
  return applyFirst(word, STEP_4, (rest) => measure(rest) > 1)
}

/** Step 5a. */
function finalE(word: string): string {
  if (!word.endsWith('e')) return word
  const rest = word.slice(0, -1)
  const goes = measure(rest) > 1 || (measure(rest) === 1 && !endsShort(rest))
  return goes ? rest : word
}

/** Step 5b. */
function doubleL(word: string): string {
  const rest = word.slice(0, -1)
  return word.endsWith('ll') && measure(rest) > 1 ? rest : word
}

function isPositive(rest: string): boolean {
  return measure(rest) > 0
}

function isConsonant(word: string, i: number): boolean {
  if (/[aeiou]/.test(word[i]!)) return false
  return word[i] !== 'y' || i === 0 || !isConsonant(word, i - 1)
}

function hasVowel(word: string): boolean {
  return shape(word).includes('v')
}

/** Porter's m: how often a vowel is followed by a consonant. */
function measure(word: string): number {
  return shape(word).split('vc').length - 1
}

/** Each letter as `c` or `v`. */
function shape(word: string): string {
  return Array.from(word, (_, i) => (isConsonant(word, i) ? 'c' : 'v')).join('')
}

function endsDouble(word: string): boolean {
  return /(.)\1$/.test(word) && isConsonant(word, word.length - 1)
}

/** Consonant, vowel, consonant other than w, x, y; or a word of just a vowel and a consonant. */
function endsShort(word: string): boolean {
  const ending = shape(word).slice(-3)
  return ending === 'cvc' ? !/[wxy]$/.test(word) : word.length === 2 && ending === 'vc'
}
