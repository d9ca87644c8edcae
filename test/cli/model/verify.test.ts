import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { EXIT } from '#base'
import { saveCheckpoint } from '#learning/models'
import { forward } from '../../learning/models/forward.ts'
import { randomModel } from '../../learning/models/random-model.ts'
import { TINY } from '../../learning/models/tiny-models.ts'
import { runCommand } from '../run-command.ts'

interface Golden {
  readonly input_ids: readonly (readonly number[])[]
  readonly positions: readonly (readonly number[])[]
  readonly logits: readonly (readonly (readonly number[])[])[]
  readonly greedy: readonly number[]
}

const PROMPTS = [
  [3, 1, 4, 1, 5],
  [2, 7],
]
const POSITIONS = [[0, 4], [1]]

let folder: string
let golden: Golden
const { model, weights } = randomModel(TINY.llama, 'verify')

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cotune-verify-'))
  await saveCheckpoint(folder, { model, weights })
  const rowsOf = async (ids: readonly number[]) =>
    (await forward({ model, weights, tokens: [ids] }))[0]!
  const logits: number[][][] = []
  for (const [b, ids] of PROMPTS.entries()) {
    const rows = await rowsOf(ids)
    logits.push(POSITIONS[b]!.map((position) => [...rows[position]!]))
  }
  const text = [...PROMPTS[0]!]
  for (let i = 0; i < 4; i++) {
    const last = (await rowsOf(text)).at(-1)!
    text.push(last.indexOf(Math.max(...last)))
  }
  golden = { input_ids: PROMPTS, positions: POSITIONS, logits, greedy: text.slice(5) }
})
afterAll(() => rm(folder, { recursive: true }))

async function verify(content: unknown, ...options: readonly string[]) {
  const path = join(folder, 'golden.json')
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content))
  return runCommand('model', 'verify', folder, '--golden', path, ...options)
}

/** The record with one logit changed by `difference` of its row's largest magnitude. */
function changed(difference: number): Golden {
  const logits = golden.logits.map((rows) => rows.map((row) => [...row]))
  const row = logits[1]![0]!
  row[0]! += difference * Math.max(...row.map(Math.abs))
  return { ...golden, logits }
}

it('passes on its own record, without a tokenizer', async () => {
  const { exitCode, stdout, stderr } = await verify(golden, '--json')
  expect({ exitCode, stderr }).toEqual({ exitCode: EXIT.ok, stderr: '' })
  const result = JSON.parse(stdout)
  expect(Object.keys(result).slice(0, 3)).toEqual(['maxRelativeError', 'greedyEqual', 'family'])
  expect(result).toMatchObject({
    greedyEqual: true,
    family: 'llama',
    tokenizerEqual: null,
    rows: 3,
  })
  expect(result.maxRelativeError).toBeLessThan(1e-6)
  expect((await verify(golden)).stdout).toMatch(/^result {5}passed$/m)
})

it('fails above the tolerance, and prints the result', async () => {
  const { exitCode, stdout } = await verify(changed(1e-3), '--json')
  expect(exitCode).toBe(EXIT.failure)
  expect(JSON.parse(stdout).maxRelativeError).toBeCloseTo(1e-3, 5)
  expect((await verify(changed(1e-3), '--tolerance', '2e-3')).exitCode).toBe(EXIT.ok)
  expect((await verify(golden, '--tolerance', 'little')).exitCode).toBe(EXIT.usage)
})

it('fails when greedy tokens differ', async () => {
  const greedy = golden.greedy.map((id, i) => (i === 2 ? (id + 1) % 16 : id))
  const { exitCode, stdout } = await verify({ ...golden, greedy }, '--json')
  expect(exitCode).toBe(EXIT.failure)
  expect(JSON.parse(stdout)).toMatchObject({ greedyEqual: false, greedyMatched: 2 })
})

it.each([
  ['text that is no JSON', () => '{"input_ids":', 'MODEL_GOLDEN_INVALID'],
  ['no record', () => ({ input_ids: [] }), 'MODEL_GOLDEN_INVALID'],
  ['logits that are text', () => ({ ...golden, logits: 'x' }), 'MODEL_GOLDEN_INVALID'],
  ['too few rows', () => ({ ...golden, logits: [golden.logits[0], []] }), 'MODEL_GOLDEN_INVALID'],
  ['a position too far', () => ({ ...golden, positions: [[0, 5], [1]] }), 'MODEL_GOLDEN_INVALID'],
  ['one text too few', () => ({ ...golden, text: ['a'] }), 'MODEL_GOLDEN_INVALID'],
  [
    'rows of another width',
    () => ({ ...golden, logits: golden.logits.map((rows) => rows.map((row) => row.slice(1))) }),
    'MODEL_GOLDEN_MISMATCH',
  ],
  ['a token too many', () => ({ ...golden, greedy: [1_000_000] }), 'MODEL_GOLDEN_MISMATCH'],
  [
    'more tokens than the model reads',
    () => ({ ...golden, greedy: Array.from({ length: 10_000 }, () => 1) }),
    'MODEL_GOLDEN_MISMATCH',
  ],
])('refuses %s', async (_, content, code) => {
  const { exitCode, stdout } = await verify(content(), '--json')
  expect(exitCode).toBe(EXIT.data)
  expect(JSON.parse(stdout).error.code).toBe(code)
})

it('names the key that a record lacks', async () => {
  const { greedy: _, ...lacking } = golden
  const { stdout } = await verify(lacking, '--json')
  expect(JSON.parse(stdout).error.message).toMatch(
    /is not a record of logits: greedy: it is missing$/,
  )
})

it('refuses a record that is not there', async () => {
  const { stdout } = await runCommand('model', 'verify', folder, '--golden', folder, '--json')
  expect(JSON.parse(stdout).error.code).toBe('MODEL_GOLDEN_UNREADABLE')
})
