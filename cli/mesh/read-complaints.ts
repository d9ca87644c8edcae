import { readFile } from 'node:fs/promises'
import { clean } from '../render/clean.ts'

const MAX_COMPLAINTS = 5

/** The last warnings and errors of a peer's log, a line each; nothing where there is no log. */
export async function readComplaints(logPath: string): Promise<readonly string[]> {
  const text = await readFile(logPath, 'utf8').catch(() => '')
  return text
    .split('\n')
    .flatMap((line) => complaintOf(line) ?? [])
    .slice(-MAX_COMPLAINTS)
}

function complaintOf(line: string): string | undefined {
  try {
    const entry = JSON.parse(line) as {
      readonly level?: string
      readonly msg?: string
      readonly err?: { readonly message?: string }
    }
    if (entry.level !== 'warn' && entry.level !== 'error') return undefined
    const cause = entry.err?.message
    return clean(`log: ${entry.msg ?? entry.level}${cause === undefined ? '' : `: ${cause}`}`)
  } catch {
    return undefined
  }
}
