import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { createRandom, packagePath, sha256Hex } from '#base'
import { clinic } from './domains/clinic.ts'
import { home } from './domains/home.ts'
import { kitchen } from './domains/kitchen.ts'
import { maintenance } from './domains/maintenance.ts'
import { type Draft, type ExampleDomain, roughen } from './phrase.ts'

const SEED = 'examples/1'
const SIZES = { train: 1_200, valid: 150, test: 150 } as const

/** Characters of the id, as many as make two equal ones unlikely. */
const ID_LENGTH = 12

export const DOMAINS: readonly ExampleDomain[] = [home, maintenance, clinic, kitchen]

export interface GeneratedExample extends Draft {
  readonly domain: string
  readonly id: string
}

/** The examples of a domain: no input occurs twice, so the parts are disjoint by input. The same on each machine. */
export function generateDomain(
  domain: ExampleDomain,
): Readonly<Record<keyof typeof SIZES, readonly GeneratedExample[]>> {
  const random = createRandom(SEED).fork(domain.name)
  const wanted = SIZES.train + SIZES.valid + SIZES.test
  const byInput = new Map<string, GeneratedExample>()
  while (byInput.size < wanted) {
    const draft = domain.draw(random)
    const input = roughen(random, draft.input)
    const key = input
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, ' ')
      .trim()
    if (byInput.has(key)) continue
    const id = sha256Hex(JSON.stringify([domain.name, draft.task, input])).slice(0, ID_LENGTH)
    byInput.set(key, { domain: domain.name, ...draft, input, id })
  }
  const all = [...byInput.values()]
  return {
    train: all.slice(0, SIZES.train),
    valid: all.slice(SIZES.train, SIZES.train + SIZES.valid),
    test: all.slice(SIZES.train + SIZES.valid),
  }
}

/** One JSON object a line. */
export function toJsonLines(examples: readonly GeneratedExample[]): string {
  return examples.map((example) => `${JSON.stringify(example)}\n`).join('')
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const folder = packagePath('examples', 'data')
  await mkdir(folder, { recursive: true })
  for (const domain of DOMAINS) {
    for (const [part, examples] of Object.entries(generateDomain(domain))) {
      await writeFile(join(folder, `${domain.name}.${part}.jsonl`), toJsonLines(examples))
    }
  }
}
