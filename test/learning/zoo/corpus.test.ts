import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createRandom } from '#base'
import { isPublic } from '#learning/data'
import { createTokenizer } from '#learning/text'
import { refiningBatches } from '../../../learning/zoo/batches.ts'
import { readCorpus } from '../../../learning/zoo/corpus.ts'
import { DEVICE_DOMAINS } from '../../../learning/zoo/recipe.ts'
import { trainTokenizer } from '../../../learning/zoo/tokenizers.ts'

let data: string

beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'cotune-zoo-'))
  await mkdir(join(data, 'suite'))
  await mkdir(join(data, 'sni'))
  await mkdir(join(data, 'corpus'))
  await writeRows('suite', 'banking.train', 'banking', 40)
  await writeRows('suite', 'medical.train', 'medical', 40)
  await writeRows('suite', 'medical.valid', 'held out', 40)
  await writeRows('sni', 'trivia.train', 'sni_trivia', 40)
  const prose = `${'The rain had not stopped for days. '.repeat(20)}\n\n`.repeat(8)
  await writeFile(join(data, 'corpus', 'novels.txt.gz'), gzipSync(prose))
})
afterEach(async () => {
  await rm(data, { recursive: true, force: true })
})

async function writeRows(folder: string, name: string, domain: string, count: number) {
  const rows = Array.from({ length: count }, (_, i) => ({
    id: `${name}-${i}`,
    domain,
    instruction: `Name the ${domain} word.`,
    input: `number ${i}`,
    output: `answer ${i % 7}`,
  }))
  await writeFile(
    join(data, folder, `${name}.jsonl`),
    rows.map((row) => JSON.stringify(row)).join('\n'),
  )
}

it('gives the cloud models public rows of every domain, and no row of another file than train', async () => {
  const { cloudRows } = await readCorpus(data)
  expect(cloudRows.length).toBeGreaterThan(0)
  expect(cloudRows.every((row) => isPublic(row.id))).toBe(true)
  const domains = new Set(cloudRows.map((row) => row.domain))
  for (const domain of ['banking', 'medical', 'sni_trivia', 'home'])
    expect(domains).toContain(domain)
  expect(domains).not.toContain('held out')
})

it("gives the small models no row of a device's domain, nor of the examples", async () => {
  const { smallModelRows } = await readCorpus(data)
  const domains = new Set(smallModelRows.map((row) => row.domain))
  expect([...domains].sort()).toEqual(['medical', 'sni_trivia'])
  for (const domain of domains) expect(DEVICE_DOMAINS.has(domain ?? '')).toBe(false)
})

it('names the folder that is missing', async () => {
  await rm(join(data, 'sni'), { recursive: true })
  await expect(readCorpus(data)).rejects.toMatchObject({ code: 'ZOO_DATA_MISSING' })
})

it('gives every domain the same say when it refines', async () => {
  const corpus = await readCorpus(data)
  const rows = corpus.cloudRows.filter((row) => ['banking', 'medical'].includes(row.domain ?? ''))
  const large = rows.filter((row) => row.domain === 'banking')
  const small = rows.filter((row) => row.domain === 'medical').slice(0, 5)
  const file = trainTokenizer({ name: 'cloud', kind: 'bpe', vocabularySize: 320 }, corpus)
  const tokenizer = createTokenizer(file, { config: { eos_token: '<|endoftext|>' } })
  const init = { tokenizer, rows: [...large, ...small], random: createRandom(1) }
  const refining = { epochs: 2, rowsPerDomain: 10, maxRepeats: 2, learningRate: 1 }
  const batches = refiningBatches(init, refining)
  expect(batches.reduce((sum, batch) => sum + batch.encoded.length, 0)).toBe(2 * (10 + 10))
})
