-- What a device must not forget. Large things (adapters) are files named by their SHA-256 under <home>/blobs;
-- the rows here name them. Times are milliseconds since the epoch, digests lower-case hexadecimal.

-- A named set of the owner's rows, filled by one or more imports. `source` names files, never content.
CREATE TABLE dataset (
  name        TEXT PRIMARY KEY,
  source      TEXT    NOT NULL,
  imported_at INTEGER NOT NULL
) STRICT;

-- One question and its answer. `position` is the order of import, which is the order of training. No column of this table is
-- ever read by the code that sends.
CREATE TABLE example (
  position    INTEGER PRIMARY KEY,
  dataset     TEXT NOT NULL REFERENCES dataset (name) ON DELETE CASCADE,
  use         TEXT NOT NULL CHECK (use IN ('train', 'evaluation')),
  -- SHA-256 of instruction, input and output: the same row is kept once, so that none is both trained on and evaluated with.
  digest      TEXT NOT NULL UNIQUE,
  id          TEXT NOT NULL,
  domain      TEXT,
  task        TEXT,
  instruction TEXT NOT NULL,
  input       TEXT NOT NULL,
  output      TEXT NOT NULL,
  -- JSON list of acceptable answers, when there are several.
  answers     TEXT
) STRICT;

-- Training and evaluation each read one use in order.
CREATE INDEX example_by_use ON example (use, position);

-- The run this device belongs to: at most one. `record` is the membership as the cloud peer signed it, `addresses` a JSON list of
-- where the cloud peer was.
CREATE TABLE membership (
  only      INTEGER PRIMARY KEY CHECK (only = 1),
  run_id    TEXT    NOT NULL,
  cloud_id  TEXT    NOT NULL,
  record    BLOB    NOT NULL,
  addresses TEXT    NOT NULL,
  joined_at INTEGER NOT NULL
) STRICT;

-- A file under blobs/ that a row refers to; those without a row are swept at start.
CREATE TABLE blob (
  digest     TEXT PRIMARY KEY,
  kind       TEXT    NOT NULL CHECK (kind IN ('slm-state', 'domain', 'shared', 'delta')),
  size_bytes INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

-- This device's part in a round, keyed by the base it was tuned on: when the cloud peer repeats a round that missed its quorum, the
-- update that was made is offered again and nothing is tuned twice.
--   open      the cloud peer asked; tuning has not ended
--   tuned     the new state and the delta are on disk; nothing has left the device
--   offered   the sealed update is on disk and was announced
--   received  the cloud peer signed for it
--   closed    the round is over
--   refused   the cloud peer or this device refused; `reason` says why
CREATE TABLE round (
  run_id         TEXT    NOT NULL,
  round          INTEGER NOT NULL CHECK (round >= 1),
  rounds         INTEGER NOT NULL,
  phase          TEXT    NOT NULL CHECK (phase IN ('open', 'tuned', 'offered', 'received', 'closed', 'refused')),
  base_digest    TEXT    NOT NULL,
  -- Blob of the version tuned from; '' in the first round.
  start_version  TEXT    NOT NULL,
  -- Tells attempts at the same round apart.
  opened_at      INTEGER NOT NULL,
  deadline       INTEGER NOT NULL,
  quorum         INTEGER NOT NULL,
  -- The cloud peer's X25519 key of the attempt, and the largest update it takes.
  sealing_key    BLOB    NOT NULL,
  max_update_bytes INTEGER NOT NULL,
  -- What was learned, and by which small model: another model cannot go on from it.
  slm_digest     TEXT,
  slm_state      TEXT REFERENCES blob (digest),
  domain         TEXT REFERENCES blob (digest),
  delta          TEXT REFERENCES blob (digest),
  -- Id of the sealed blob in the transfer store, which serves it to peers.
  sealed         TEXT,
  sealed_bytes   INTEGER,
  -- Examples tuned on: the update's weight.
  examples       INTEGER,
  counter        INTEGER,
  reason         TEXT    NOT NULL DEFAULT '',
  finished_at    INTEGER,
  PRIMARY KEY (run_id, round),
  CHECK (phase IN ('open', 'refused', 'closed') OR (slm_state IS NOT NULL AND delta IS NOT NULL)),
  CHECK (phase NOT IN ('offered', 'received') OR sealed IS NOT NULL)
) STRICT;

-- A published shared adapter that arrived, how it scored here, and whether this device answers with it.
CREATE TABLE version (
  run_id      TEXT    NOT NULL,
  version     INTEGER NOT NULL CHECK (version >= 1),
  digest      TEXT    NOT NULL REFERENCES blob (digest),
  -- Its id in the transfer store, from where neighbours may fetch it.
  blob_id     TEXT    NOT NULL,
  received_at INTEGER NOT NULL,
  -- Null until evaluated.
  kept        INTEGER CHECK (kept IN (0, 1)),
  reason      TEXT    NOT NULL DEFAULT '',
  em          REAL,
  rouge_l     REAL,
  perplexity_per_byte REAL,
  PRIMARY KEY (run_id, version)
) STRICT;

-- Numbers by name: the tuner's metrics of a round, scores of an evaluation. Telemetry, nothing depends on it.
CREATE TABLE metric (
  sequence INTEGER PRIMARY KEY,
  at       INTEGER NOT NULL,
  run_id   TEXT,
  round    INTEGER,
  name     TEXT    NOT NULL,
  value    REAL    NOT NULL
) STRICT;

-- Everything that left this device, one row a recipient, written before the first byte goes. Rows are never changed or removed.
CREATE TABLE ledger (
  sequence  INTEGER PRIMARY KEY,
  at        INTEGER NOT NULL,
  recipient TEXT    NOT NULL,
  kind      TEXT    NOT NULL CHECK (kind IN ('adapter-delta', 'join', 'announcement')),
  round     INTEGER,
  bytes     INTEGER NOT NULL,
  sha256    TEXT    NOT NULL,
  sealed    INTEGER NOT NULL CHECK (sealed IN (0, 1))
) STRICT;

CREATE TRIGGER ledger_is_append_only_1 BEFORE UPDATE ON ledger BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER ledger_is_append_only_2 BEFORE DELETE ON ledger BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

-- Small values by name: the anti-replay counter, the digests of the standalone baseline, the version in use.
CREATE TABLE setting (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;
