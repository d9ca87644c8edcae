import { join } from 'node:path'
import { type Clock, closeDatabase, openDatabase, packagePath } from '#base'
import { BlobFiles } from './blob-files.ts'
import { ExampleStore } from './example-store.ts'
import { LedgerStore } from './ledger-store.ts'
import { MembershipStore } from './membership-store.ts'
import { MetricStore } from './metric-store.ts'
import { RoundStore } from './round-store.ts'
import { SettingStore } from './setting-store.ts'
import { VersionStore } from './version-store.ts'

/** `COTD` */
const APPLICATION_ID = 0x434f5444

/** What a device keeps, one repository a concern, over one database and one folder of blobs. */
export interface DeviceStore {
  readonly examples: ExampleStore
  readonly rounds: RoundStore
  readonly blobs: BlobFiles
  readonly versions: VersionStore
  readonly ledger: LedgerStore
  readonly metrics: MetricStore
  readonly membership: MembershipStore
  readonly settings: SettingStore
  close(): void
}

/**
 * Opens `<home>/daemon.db`, made if missing. Every commit is on disk before it returns: what was promised to a peer survives a
 * power cut.
 *
 * @throws CotuneError `DATABASE_NEWER`, `DATABASE_UNREADABLE`, `DISK_FULL`
 */
export function openDeviceStore(home: string, clock: Clock): DeviceStore {
  const db = openDatabase(join(home, 'daemon.db'), {
    migrationsDir: packagePath('daemon', 'store', 'migrations'),
    applicationId: APPLICATION_ID,
    synchronous: 'full',
  })
  return {
    examples: new ExampleStore(db, clock),
    rounds: new RoundStore(db, clock),
    blobs: new BlobFiles(db, clock, join(home, 'blobs')),
    versions: new VersionStore(db, clock),
    ledger: new LedgerStore(db),
    metrics: new MetricStore(db, clock),
    membership: new MembershipStore(db, clock),
    settings: new SettingStore(db),
    close: () => closeDatabase(db),
  }
}
