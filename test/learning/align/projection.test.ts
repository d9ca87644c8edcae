import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { createRandom, packagePath } from '#base'
import {
  type AlignedRow,
  buildProjection,
  type SparseTargets,
  sparseTargets,
  type TeacherTopK,
} from '#learning/align'
import { createTokenizer, parseTokenizerFile, type Tokenizer } from '#learning/text'
import { denseDivergence, denseProjection, softmaxOf } from './dense-projection.ts'
import { byteLevelTokenizer, unigramTokenizer } from './toy-tokenizers.ts'

const bpe = byteLevelTokenizer(290)
const small = byteLevelTokenizer(268)
const unigram = unigramTokenizer(300)
const pairs: readonly (readonly [string, Tokenizer, Tokenizer])[] = [
  ['metaspace student, byte-level teacher', unigram, bpe],
  ['byte-level student, metaspace teacher', bpe, unigram],
  ['fewer merges than the teacher', small, bpe],
]

function widths(student: Tokenizer, teacher: Tokenizer) {
  return { studentWidth: student.vocabularySize + 6, teacherWidth: teacher.vocabularySize + 3 }
}

describe.each(pairs)('%s', (_, student, teacher) => {
  const projection = buildProjection(student, teacher, widths(student, teacher))

  test.each([
    [true, true],
    [false, false],
    [true, false],
  ])('rows add up to one or nothing (at start: %s, %s)', (atStart, teacherAtStart) => {
    const dense = denseProjection(projection, atStart, teacherAtStart)
    const sums = dense.map((row) => row.reduce((a, b) => a + b, 0))
    for (const sum of sums) expect(Math.min(Math.abs(sum), Math.abs(sum - 1))).toBeLessThan(1e-6)
    expect(sums.filter((sum) => sum > 0.5).length).toBeGreaterThan(student.vocabularySize * 0.8)
  })

  test('the same bytes have weight one, end-of-sequence goes with its like', () => {
    const dense = denseProjection(projection, false, false)
    expect(dense[student.eosId]![teacher.eosId]).toBe(1)
    let same = 0
    for (let u = 0; u < student.vocabularySize; u++) {
      const bytes = student.tokenBytes(u)
      if (!bytes) continue
      const column = dense[u]!.indexOf(1)
      if (column < 0) continue
      expect(teacher.tokenBytes(column) ?? bytes).toEqual(bytes)
      same++
    }
    expect(same).toBeGreaterThan(200)
  })

  test('the targets give the divergence of the dense twin, and its closed-form gradient', () => {
    const random = createRandom('targets')
    const topK = 5
    const rows = 3
    const teacherTopK = randomTopK(random, rows, topK, teacher)
    const aligned: AlignedRow[] = [
      { student: 2, teacher: 0, studentAtStart: true, teacherAtStart: true },
      { student: 0, teacher: 2, studentAtStart: false, teacherAtStart: false },
    ]
    const targets = sparseTargets(projection, teacherTopK, aligned, { rows: 4, entries: 5_000 })
    expect(targets.dropped).toBe(0)
    expect(Array.from(targets.rowWeight)).toEqual([1, 0, 1, 0])
    for (const row of aligned) {
      const logits = Array.from({ length: projection.studentWidth }, () => random.normal())
      const sparse = (x: readonly number[]) =>
        sparseDivergence(x, targets, row.student, topK, projection.studentWidth)
      expect(sparse(logits)).toBeCloseTo(denseDivergence(logits, projection, teacherTopK, row), 6)

      const gradient = closedFormGradient(
        logits,
        targets,
        row.student,
        topK,
        projection.studentWidth,
      )
      for (let i = 0; i < 40; i++) {
        const u =
          i < 20 ? targets.flatIndex[i]! % projection.studentWidth : random.integer(logits.length)
        const step = 1e-5
        const difference =
          (sparse(logits.with(u, logits[u]! + step)) - sparse(logits.with(u, logits[u]! - step))) /
          (2 * step)
        expect(gradient[u]).toBeCloseTo(difference, 7)
      }
    }
  })

  test('without room for all entries, the least probable slots go into the tail', () => {
    const teacherTopK = randomTopK(createRandom('limit'), 2, 6, teacher)
    const aligned = [0, 1].map((row) => ({
      student: row,
      teacher: row,
      studentAtStart: false,
      teacherAtStart: false,
    }))
    const whole = sparseTargets(projection, teacherTopK, aligned, { rows: 2, entries: 5_000 })
    expect(whole.dropped).toBe(0)
    const used = whole.weight.filter((weight) => weight > 0).length
    const cut = sparseTargets(projection, teacherTopK, aligned, { rows: 2, entries: used - 1 })
    expect(cut.dropped).toBeGreaterThan(0)
    const least = Math.min(...whole.teacher.filter((p) => p > 0))
    expect(cut.teacher).not.toContain(least)
    for (const row of [0, 1]) {
      const kept = cut.teacher.slice(row * 6, row * 6 + 6).reduce((a, b) => a + b, 0)
      expect(kept + cut.tail[row]!).toBeCloseTo(1, 6)
    }
  })
})

test('at the start of an answer a spelled space is none of the text', () => {
  const projection = buildProjection(unigram, bpe, widths(unigram, bpe))
  const spaced = unigram.encode('the lamp').ids[0]!
  expect(new TextDecoder().decode(unigram.tokenBytes(spaced))).toBe(' the')
  const inside = denseProjection(projection, false, false)[spaced]!
  const atStart = denseProjection(projection, true, true)[spaced]!
  expect(inside[bpe.encode(' the').ids[0]!]).toBeGreaterThan(0.89)
  expect(atStart[bpe.encode('the').ids[0]!]).toBeGreaterThan(0.89)
  expect(atStart[bpe.encode(' the').ids[0]!]).toBe(0)
})

test('a token that the teacher lacks goes mostly to the first of its spelling', () => {
  const projection = buildProjection(bpe, small, widths(bpe, small))
  const dense = denseProjection(projection, false, false)
  const long = Array.from({ length: bpe.vocabularySize }, (_, id) => id).find((id) => {
    const entries = dense[id]!.filter((weight) => weight > 0)
    return entries.length === 2
  })!
  const entries = dense[long]!.filter((weight) => weight > 0).sort((a, b) => b - a)
  expect(entries[0]).toBeCloseTo(0.9 / 0.99, 6)
  const first = small.encode(new TextDecoder().decode(bpe.tokenBytes(long))).ids[0]!
  expect(dense[long]![first]).toBeCloseTo(0.9 / 0.99, 6)
})

test('a token that the student lacks counts as the beginning of its spelling', () => {
  const projection = buildProjection(small, bpe, widths(small, bpe))
  const { countsAs } = projection.columns(false, false)
  let lacking = 0
  for (let v = 0; v < bpe.vocabularySize; v++) {
    const bytes = bpe.tokenBytes(v)
    if (!bytes || countsAs[v] === v) continue
    const begins = bpe.tokenBytes(countsAs[v]!)!
    expect(Buffer.from(bytes).subarray(0, begins.length)).toEqual(Buffer.from(begins))
    expect(begins.length).toBeLessThan(bytes.length)
    expect(countsAs[countsAs[v]!]).toBe(countsAs[v])
    lacking++
  }
  expect(lacking).toBeGreaterThan(10)
})

test('equal tokenizers give the identity, special tokens and all', () => {
  const dense = denseProjection(buildProjection(bpe, bpe, widths(bpe, bpe)), true, true)
  for (let id = 0; id < bpe.vocabularySize; id++) expect(dense[id]![id]).toBe(1)
})

const real = packagePath('..', 'shared', 'data', 'tokenizers')

test.skipIf(!existsSync(real))('real vocabularies project in seconds (needs ../shared)', () => {
  const load = (name: string) =>
    createTokenizer(parseTokenizerFile(JSON.parse(readFileSync(`${real}/${name}`, 'utf8')), name))
  const gpt2 = load('gpt2/tokenizer.json')
  const mistral = load('mistral-v0.1/tokenizer.json')
  const started = performance.now()
  const projection = buildProjection(gpt2, mistral, { studentWidth: 50_257, teacherWidth: 32_000 })
  const { starts, tokens, weights } = projection.columns(false, false)
  expect(performance.now() - started).toBeLessThan(20_000)
  const rows = new Float64Array(50_257)
  for (let i = 0; i < tokens.length; i++) rows[tokens[i]!]! += weights[i]!
  expect(rows.filter((sum) => Math.abs(sum - 1) < 1e-6).length).toBeGreaterThan(45_000)
  const the = mistral.encode('the').ids[0]!
  const students = Array.from(tokens.slice(starts[the]!, starts[the + 1]!), (id) =>
    gpt2.tokenBytes(id),
  )
  expect(students.map((bytes) => Buffer.from(bytes!).toString())).toContain(' the')
})

function randomTopK(
  random: ReturnType<typeof createRandom>,
  rows: number,
  topK: number,
  teacher: Tokenizer,
): TeacherTopK {
  const tokens = new Int32Array(rows * topK)
  const probabilities = new Float32Array(rows * topK)
  for (let row = 0; row < rows; row++) {
    const ids = random.shuffle(Array.from({ length: teacher.vocabularySize }, (_, id) => id))
    const shares = softmaxOf(Array.from({ length: topK + 1 }, () => random.normal()))
    for (let k = 0; k < topK; k++) {
      tokens[row * topK + k] = k === 0 ? teacher.eosId : ids[k]!
      probabilities[row * topK + k] = shares[k]!
    }
  }
  return { topK, tokens, probabilities }
}

interface RowMass {
  readonly student: readonly number[]
  readonly slots: readonly number[]
  readonly rest: number
}

function massOf(
  logits: readonly number[],
  targets: SparseTargets,
  row: number,
  topK: number,
  width: number,
): RowMass {
  const student = softmaxOf(logits)
  const slots = new Array<number>(topK).fill(0)
  for (let i = 0; i < targets.flatIndex.length; i++) {
    const flat = targets.flatIndex[i]!
    if (targets.weight[i] === 0 || Math.floor(flat / width) !== row) continue
    slots[targets.slot[i]! - row * topK]! += targets.weight[i]! * student[flat % width]!
  }
  return { student, slots, rest: 1 - slots.reduce((a, b) => a + b, 0) }
}

/** What the training graph computes from the targets of one row, without the temperature. */
function sparseDivergence(
  logits: readonly number[],
  targets: SparseTargets,
  row: number,
  topK: number,
  width: number,
): number {
  const { slots, rest } = massOf(logits, targets, row, topK, width)
  const term = (p: number, s: number) => (p === 0 ? 0 : p * Math.log(p / s))
  const onSlots = slots.reduce((sum, s, k) => sum + term(targets.teacher[row * topK + k]!, s), 0)
  return onSlots + term(targets.tail[row]!, rest)
}

/** `p_s(u) - q(u)` with `q(u) = p_s(u) * sum over v of W'(u, v) p_t(v) / (p_s W')(v)`; W' has the tail as a column. */
function closedFormGradient(
  logits: readonly number[],
  targets: SparseTargets,
  row: number,
  topK: number,
  width: number,
): number[] {
  const { student, slots, rest } = massOf(logits, targets, row, topK, width)
  const inSlots = new Array<number>(width).fill(0)
  const factor = new Array<number>(width).fill(0)
  for (let i = 0; i < targets.flatIndex.length; i++) {
    const flat = targets.flatIndex[i]!
    const weight = targets.weight[i]!
    if (weight === 0 || Math.floor(flat / width) !== row) continue
    const k = targets.slot[i]! - row * topK
    inSlots[flat % width]! += weight
    factor[flat % width]! += (weight * targets.teacher[row * topK + k]!) / slots[k]!
  }
  const ofRest = targets.tail[row]! / rest
  return student.map((p, u) => p - p * (factor[u]! + (1 - inSlots[u]!) * ofRest))
}
