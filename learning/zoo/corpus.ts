import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { CotuneError, EXIT, packagePath } from '#base'
import { type Example, isPublic, readExamples } from '#learning/data'
import { DEVICE_DOMAINS } from './recipe.ts'

/** Everything the zoo is trained on. */
export interface Corpus {
  /** Public rows of every domain: what the cloud's models see. */
  readonly cloudRows: readonly Example[]
  /** Of these, the rows of no device's domain: what the small models see. */
  readonly smallModelRows: readonly Example[]
  /** Public-domain prose, in paragraphs. */
  readonly prose: readonly string[]
}

/**
 * Reads `<domain>.train.jsonl` of the suite, of Super-NaturalInstructions and of our own examples, and the prose. No file but
 * `train` is opened.
 *
 * @param data folder with `suite`, `sni` and `corpus`
 * @throws CotuneError ZOO_DATA_MISSING
 */
export async function readCorpus(data: string): Promise<Corpus> {
  const own = packagePath('examples', 'data')
  const suite = await readPublicRows(join(data, 'suite'))
  const sni = await readPublicRows(join(data, 'sni'))
  const examples = await readPublicRows(own)
  const prose = gunzipSync(await readFile(join(data, 'corpus', 'novels.txt.gz'))).toString('utf8')
  return {
    cloudRows: [...suite, ...sni, ...examples],
    smallModelRows: [...suite.filter((row) => !DEVICE_DOMAINS.has(row.domain ?? '')), ...sni],
    prose: prose
      .split(/\n\s*\n/)
      .map((paragraph) => paragraph.replace(/\s+/g, ' ').trim())
      .filter((paragraph) => paragraph.length > 80),
  }
}

async function readPublicRows(folder: string): Promise<Example[]> {
  const names = await readdir(folder).catch((cause: unknown) => {
    throw new CotuneError('ZOO_DATA_MISSING', `there is no folder ${folder}`, {
      hint: 'Pass --data with a folder that holds suite, sni and corpus; examples/data comes with the repository.',
      cause,
      exit: EXIT.data,
    })
  })
  const files = names.filter((name) => name.endsWith('.train.jsonl')).sort()
  const rows = await Promise.all(files.map((name) => readExamples(join(folder, name))))
  return rows.flat().filter((row) => isPublic(row.id))
}
