import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import { CotuneError, EXIT } from './errors.ts'
import { storageError } from './storage-error.ts'

export type Database = BetterSqlite3.Database

export interface DatabaseInit {
  /** Folder of `0001-name.sql`, `0002-name.sql`, ... without gaps; use `packagePath`. */
  readonly migrationsDir: string
  /** Marks the file as ours (`PRAGMA application_id`): a database of another program is refused. */
  readonly applicationId: number
  /** `full` where a promise was made to a peer (rounds, receipts, counters); `normal` for telemetry and caches. */
  readonly synchronous: 'full' | 'normal'
}

interface Migration {
  readonly version: number
  readonly name: string
  readonly sql: string
}

/**
 * Opens a database of ours, creates it if missing, and brings it to the newest schema: forward only, each step in one
 * transaction with `user_version`, after a copy of the old file to `<path>.before-<version>`.
 *
 * @throws CotuneError `DATABASE_NEWER`, `DATABASE_UNREADABLE`, `DISK_FULL`, `MIGRATIONS_INVALID`.
 */
export function openDatabase(path: string, init: DatabaseInit): Database {
  const migrations = readMigrations(init.migrationsDir)
  let db: Database | undefined
  try {
    db = new BetterSqlite3(path)
    configure(db, init.synchronous)
    checkOwner(db, path, init.applicationId)
    migrate(db, path, migrations, init.applicationId)
    return db
  } catch (error) {
    db?.close()
    throw storageError(error, path)
  }
}

/**
 * Runs `work` in one short write transaction and returns its result. What it throws rolls everything back.
 *
 * @throws CotuneError `DISK_FULL`, `DATABASE_UNREADABLE`; else whatever `work` threw.
 */
export function inTransaction<T>(db: Database, work: () => T): T {
  try {
    return db.transaction(work).immediate()
  } catch (error) {
    throw storageError(error, db.name)
  }
}

/** Folds the write-ahead log into the file and closes. */
export function closeDatabase(db: Database): void {
  if (!db.open) return
  db.pragma('wal_checkpoint(TRUNCATE)')
  db.close()
}

function configure(db: Database, synchronous: DatabaseInit['synchronous']): void {
  db.pragma('busy_timeout = 5000')
  db.pragma('journal_mode = WAL')
  db.pragma(`synchronous = ${synchronous}`)
  db.pragma('foreign_keys = ON')
  // The schema of a damaged or planted file must not run functions of ours, and a bad cell must be noticed.
  db.pragma('trusted_schema = OFF')
  db.pragma('cell_size_check = ON')
  db.pragma('wal_autocheckpoint = 1000')
  db.pragma('journal_size_limit = 16777216')
}

function checkOwner(db: Database, path: string, applicationId: number): void {
  const owner = Number(db.pragma('application_id', { simple: true }))
  const tables = db.prepare('SELECT count(*) FROM sqlite_schema').pluck().get()
  if (owner === applicationId || (owner === 0 && tables === 0)) return
  throw new CotuneError('DATABASE_UNREADABLE', `${path} is a database of another program`, {
    hint: 'point Cotune at another home; to read rows from this file use `cotune data import --query`',
    data: { path, applicationId: owner },
    exit: EXIT.data,
  })
}

function migrate(
  db: Database,
  path: string,
  migrations: readonly Migration[],
  applicationId: number,
): void {
  const current = schemaVersion(db)
  const newest = migrations.length
  if (current > newest) {
    throw new CotuneError(
      'DATABASE_NEWER',
      `${path} was written by a newer Cotune (${current} > ${newest})`,
      {
        hint: 'upgrade Cotune, or restore the copy that the upgrade left beside the file',
        data: { path, version: current, supported: newest },
        exit: EXIT.data,
      },
    )
  }
  if (current > 0 && current < newest) backup(db, `${path}.before-${newest}`)
  for (const migration of migrations.slice(current)) {
    const step = db.transaction(() => {
      // Another process may have been quicker.
      if (schemaVersion(db) >= migration.version) return
      db.exec(migration.sql)
      db.pragma(`user_version = ${migration.version}`)
      db.pragma(`application_id = ${applicationId}`)
    })
    step.immediate()
  }
}

/** VACUUM INTO writes a consistent copy, unlike a copy of the file without its write-ahead log. */
function backup(db: Database, target: string): void {
  rmSync(target, { force: true })
  db.prepare('VACUUM INTO ?').run(target)
}

function schemaVersion(db: Database): number {
  return Number(db.pragma('user_version', { simple: true }))
}

function readMigrations(folder: string): readonly Migration[] {
  const names = readdirSync(folder)
    .filter((name) => /^\d{4}-[a-z0-9-]+\.sql$/.test(name))
    .sort()
  return names.map((name, i) => {
    const version = Number(name.slice(0, 4))
    if (version !== i + 1) {
      throw new CotuneError('MIGRATIONS_INVALID', `${name} in ${folder} leaves a gap`, {
        hint: 'migrations are numbered 0001, 0002, ... without gaps; reinstall the package',
        data: { folder, name },
      })
    }
    return { version, name, sql: readFileSync(join(folder, name), 'utf8') }
  })
}
