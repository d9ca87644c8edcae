import { createReadStream } from 'node:fs'
import { errorMessage } from '../errors.ts'
import { importError } from './import-error.ts'

/**
 * The decoded pieces of a UTF-8 file, a byte-order mark left out.
 *
 * @throws CotuneError `IMPORT_UNREADABLE`, `IMPORT_NOT_UTF8`.
 */
export async function* readText(path: string): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  try {
    for await (const bytes of createReadStream(path)) yield decoder.decode(bytes, { stream: true })
    yield decoder.decode()
  } catch (cause) {
    if (cause instanceof TypeError) {
      throw importError('IMPORT_NOT_UTF8', `${path} is not UTF-8 text`, {
        hint: 'save it as UTF-8: iconv -f LATIN1 -t UTF-8 old > new',
        cause,
        data: { path },
      })
    }
    throw importError('IMPORT_UNREADABLE', `cannot read ${path}: ${errorMessage(cause)}`, {
      hint: 'check the path and its permissions; the daemon reads the file, so give a path it can see',
      cause,
      data: { path },
    })
  }
}

/** The lines of a UTF-8 file. A line longer than `maxCharacters` comes as undefined, without being held in memory. */
export async function* readLines(
  path: string,
  maxCharacters: number,
): AsyncGenerator<string | undefined> {
  let rest = ''
  let overlong = false
  for await (const text of readText(path)) {
    const parts = text.split('\n')
    for (const [i, part] of parts.entries()) {
      rest += overlong ? '' : part
      overlong ||= rest.length > maxCharacters
      if (i === parts.length - 1) break
      yield overlong ? undefined : rest.replace(/\r$/, '')
      rest = ''
      overlong = false
    }
    if (overlong) rest = ''
  }
  if (overlong) yield undefined
  else if (rest !== '') yield rest.replace(/\r$/, '')
}
