import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import { CotuneError, EXIT } from '#base'
import { contentId, type Example } from './example.ts'

const rowSchema = z.object({
  id: z.union([z.string(), z.number()]).optional(),
  instruction: z.string().default(''),
  input: z.string().default(''),
  output: z.string().optional(),
  references: z.array(z.string()).optional(),
  domain: z.string().optional(),
  task: z.string().optional(),
})

/**
 * Reads examples from a JSONL file, one object a line with `instruction`, `input`, `output` (or `references`); empty lines are skipped.
 *
 * @throws CotuneError DATA_UNREADABLE, DATA_LINE_MALFORMED, DATA_ROW_NO_ANSWER; the latter two name the line
 */
export async function readExamples(path: string): Promise<Example[]> {
  const examples: Example[] = []
  let line = 0
  try {
    const lines = createInterface({ input: createReadStream(path, 'utf8'), crlfDelay: Infinity })
    for await (const text of lines) {
      line++
      const row = line === 1 ? text.replace(/^\uFEFF/, '') : text
      if (row.trim() !== '') examples.push(parseExample(row, `${path}:${line}`))
    }
  } catch (error) {
    if (error instanceof CotuneError) throw error
    throw new CotuneError('DATA_UNREADABLE', `cannot read ${path}`, {
      hint: 'Check that the file exists and that you may read it.',
      cause: error,
      data: { path },
      exit: EXIT.data,
    })
  }
  return examples
}

/**
 * One JSONL line as an example.
 *
 * @param where file and line, for the error
 * @throws CotuneError DATA_LINE_MALFORMED, DATA_ROW_NO_ANSWER
 */
export function parseExample(text: string, where: string): Example {
  const row = parseRow(text, where)
  const output = row.output ?? row.references?.[0]
  if (output === undefined || output.trim() === '') {
    throw new CotuneError('DATA_ROW_NO_ANSWER', `${where}: the row has no answer`, {
      hint: 'Give each row a non-empty "output", or "references".',
      data: { where },
      exit: EXIT.data,
    })
  }
  const content = { instruction: row.instruction, input: row.input, output }
  return {
    id: row.id === undefined ? contentId(content) : String(row.id),
    ...content,
    ...(row.references?.length ? { references: row.references } : {}),
    ...(row.domain === undefined ? {} : { domain: row.domain }),
    ...(row.task === undefined ? {} : { task: row.task }),
  }
}

function parseRow(text: string, where: string): z.infer<typeof rowSchema> {
  try {
    return rowSchema.parse(JSON.parse(text))
  } catch (error) {
    throw new CotuneError('DATA_LINE_MALFORMED', `${where}: not a JSON object of an example`, {
      hint: 'Each line is one JSON object with the strings "instruction", "input" and "output".',
      cause: error,
      data: { where },
      exit: EXIT.data,
    })
  }
}
