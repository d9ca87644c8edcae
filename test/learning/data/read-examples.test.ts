import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { packagePath } from '#base'
import { contentId, isPublic, readExamples, referencesOf } from '#learning/data'

let folder = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cotune-data-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function read(content: string | Uint8Array) {
  const path = join(folder, 'rows.jsonl')
  await writeFile(path, content)
  return readExamples(path)
}

describe('readExamples', () => {
  test('reads rows, with references, numbers as ids, empty lines and a byte order mark', async () => {
    const rows = await read(
      '\uFEFF{"id":7,"instruction":"Do","input":"a","output":"b"}\r\n\n{"input":"c","references":["d","e"]}\n',
    )
    expect(rows).toEqual([
      { id: '7', instruction: 'Do', input: 'a', output: 'b' },
      {
        id: contentId({ instruction: '', input: 'c', output: 'd' }),
        instruction: '',
        input: 'c',
        output: 'd',
        references: ['d', 'e'],
      },
    ])
    expect(rows.map(referencesOf)).toEqual([['b'], ['d', 'e']])
  })

  test.each([
    ['not JSON', '{"input":', 'DATA_LINE_MALFORMED'],
    ['not an object', '["a"]', 'DATA_LINE_MALFORMED'],
    ['a number for an answer', '{"input":"a","output":3}', 'DATA_LINE_MALFORMED'],
    ['no answer', '{"input":"a"}', 'DATA_ROW_NO_ANSWER'],
    ['a blank answer', '{"input":"a","output":"  "}', 'DATA_ROW_NO_ANSWER'],
    ['no references', '{"input":"a","references":[]}', 'DATA_ROW_NO_ANSWER'],
  ])('%s is refused with its line', async (_, line, code) => {
    await expect(read(`{"input":"a","output":"b"}\n${line}\n`)).rejects.toMatchObject({
      code,
      message: expect.stringContaining('rows.jsonl:2'),
    })
  })

  test('a file that is not there is refused', async () => {
    await expect(readExamples(join(folder, 'none.jsonl'))).rejects.toMatchObject({
      code: 'DATA_UNREADABLE',
    })
  })

  test('the committed examples can be read', async () => {
    const rows = await readExamples(packagePath('examples', 'data', 'home.valid.jsonl'))
    expect(rows.length).toBe(150)
    expect(rows[0]).toMatchObject({ domain: 'home', instruction: expect.any(String) })
  })
})

test('a row is public by the first digit of the hash of its id', () => {
  // SHA-256("a") begins with c, of "b" with 3.
  expect(isPublic('a')).toBe(true)
  expect(isPublic('b')).toBe(false)
})
