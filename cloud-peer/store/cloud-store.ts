import { join } from 'node:path'
import { type Clock, closeDatabase, openDatabase, packagePath } from '#base'
import { type BlobStore, FileBlobStore } from '#protocols/transfer'
import { Contributions } from './contributions.ts'
import { Examples } from './examples.ts'
import { Invites } from './invites.ts'
import { KeyEpochs } from './key-epochs.ts'
import { Members } from './members.ts'
import { Rounds } from './rounds.ts'
import { RunRow } from './run-row.ts'
import { ScoreBook } from './score-book.ts'
import { StateFiles } from './state-files.ts'
import { Versions } from './versions.ts'

/** `COTC` */
const APPLICATION_ID = 0x434f5443

/** What a cloud peer keeps, one repository a concern, over one database and two folders of files. */
export interface CloudStore {
  readonly run: RunRow
  readonly invites: Invites
  readonly members: Members
  readonly keys: KeyEpochs
  readonly rounds: Rounds
  readonly contributions: Contributions
  readonly versions: Versions
  readonly examples: Examples
  readonly scores: ScoreBook
  /** What travels: sealed updates and published versions. */
  readonly blobs: BlobStore
  /** Adapters of our own. */
  readonly states: StateFiles
  close(): void
}

/**
 * Opens `<home>/cloud.db` (made if missing). Every commit is on disk before it returns: receipts and counters are promises.
 *
 * @throws CotuneError DATABASE_NEWER, DATABASE_UNREADABLE, DISK_FULL
 */
export function openCloudStore(home: string, clock: Clock): CloudStore {
  const db = openDatabase(join(home, 'cloud.db'), {
    migrationsDir: packagePath('cloud-peer', 'store', 'migrations'),
    applicationId: APPLICATION_ID,
    synchronous: 'full',
  })
  const members = new Members(db, clock)
  return {
    run: new RunRow(db, clock),
    invites: new Invites(db, members, clock),
    members,
    keys: new KeyEpochs(db, clock),
    rounds: new Rounds(db, clock),
    contributions: new Contributions(db, clock),
    versions: new Versions(db),
    examples: new Examples(db, clock),
    scores: new ScoreBook(db, clock),
    blobs: new FileBlobStore(join(home, 'blobs')),
    states: new StateFiles(join(home, 'states')),
    close: () => closeDatabase(db),
  }
}
