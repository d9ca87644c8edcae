import { basename, extname, resolve } from 'node:path'
import { Command, Option } from 'commander'
import { EXIT } from '#base'
import type { ImportReport, ImportRequest } from '#protocols/api'
import type { CommandContext } from '../command-context.ts'
import {
  clientOf,
  columnMap,
  type PeerOptions,
  plainName,
  positiveInteger,
  withPeerOptions,
} from '../options.ts'
import { clean } from '../render/clean.ts'

interface ImportOptions extends PeerOptions {
  readonly name?: string
  readonly query?: string
  readonly columns?: Readonly<Record<string, string>>
  readonly limit?: number
  readonly use?: 'train' | 'evaluation' | 'split'
  readonly onlyPrivate?: boolean
  readonly onError?: 'fail' | 'skip'
  readonly dryRun?: boolean
}

const MAX_SHOWN = 10

/** `cotune data import FILE`. */
export function dataCommand(context: CommandContext): Command {
  return new Command('data')
    .description('the data a peer learns from')
    .addCommand(importCommand(context))
}

function importCommand({ io, setExitCode }: CommandContext): Command {
  return withPeerOptions(new Command('import'))
    .description('read examples from a JSONL, CSV or SQLite file; on a device they never leave it')
    .argument('<file>', 'a .jsonl or .csv file, or with --query a SQLite database')
    .option('--name <name>', "what to call the data (default: the file's name)", plainName)
    .option('--query <sql>', 'read a SQLite database by this query; the database is only read')
    .option(
      '--columns <pairs>',
      'which columns hold what, e.g. instruction=question,output=answer',
      columnMap,
    )
    .option('--limit <n>', 'take at most so many rows to train on (default: all)', positiveInteger)
    .addOption(
      new Option('--use <part>', 'to train on, to evaluate on, or one in ten held out')
        .choices(['train', 'evaluation', 'split'])
        .default('split'),
    )
    .option('--only-private', 'only rows whose id is of the private half (docs/co-tuning.md)')
    .addOption(
      new Option('--on-error <what>', 'what a bad row means')
        .choices(['fail', 'skip'])
        .default('fail'),
    )
    .option('--dry-run', 'check all rows, import none')
    .addHelpText(
      'after',
      `
A row needs an instruction and an output; an input if there is one. Nothing is half-imported.

Examples:
  $ cotune data import answers.jsonl
  $ cotune data import faq.csv --columns instruction=question,output=answer --on-error skip
  $ cotune data import shop.db --query 'SELECT question AS instruction, reply AS output FROM tickets'`,
    )
    .action(async (file: string, options: ImportOptions) => {
      const report = await clientOf(options).call('POST /v1/data', toRequest(file, options))
      io.stdout.write(`${options.json === true ? JSON.stringify(report) : render(report)}\n`)
      if (report.skipped.length > 0) setExitCode(EXIT.partial)
    })
}

/** The file's name as far as a dataset may have it. */
function nameAfter(file: string): string {
  const plain = basename(file, extname(file)).replaceAll(/[^\p{L}\p{N} ._-]/gu, '-')
  return plain.replace(/^[ ._-]+/, '').slice(0, 64) || 'data'
}

function toRequest(file: string, options: ImportOptions): ImportRequest {
  const { query, columns, limit, use, onlyPrivate, onError, dryRun } = options
  return {
    name: options.name ?? nameAfter(file),
    path: resolve(file),
    ...(query === undefined ? {} : { query }),
    ...(columns === undefined ? {} : { columns }),
    ...(limit === undefined ? {} : { limit }),
    ...(use === undefined ? {} : { use }),
    ...(onlyPrivate === undefined ? {} : { onlyPrivate }),
    ...(onError === undefined ? {} : { onError }),
    ...(dryRun === undefined ? {} : { dryRun }),
  }
}

function render(report: ImportReport): string {
  const verb = report.dryRun ? 'would import' : 'imported'
  const { skipped } = report
  const lines = [
    `${report.name}: ${verb} ${report.imported} rows; ${report.duplicates} duplicates, ${skipped.length} skipped`,
    ...skipped
      .slice(0, MAX_SHOWN)
      .map(({ line, code, message }) => `  line ${line}: ${message} (${code})`),
  ]
  if (skipped.length > MAX_SHOWN) lines.push(`  and ${skipped.length - MAX_SHOWN} more`)
  return lines.map((line) => clean(line)).join('\n')
}
