-- What a cloud peer must not forget. Large things are files that rows name by digest: what travels (sealed updates, published
-- versions) under <home>/blobs, adapters of its own under <home>/states. Times are milliseconds since the epoch, digests lower-case hexadecimal.

-- The run this cloud peer leads: one row, made at the first start. `rounds` is how many rounds were asked for so far;
-- the runner works while fewer than that are published and `running` is 1.
CREATE TABLE run (
  only       INTEGER PRIMARY KEY CHECK (only = 1),
  id         TEXT    NOT NULL,
  created_at INTEGER NOT NULL,
  running    INTEGER NOT NULL DEFAULT 0 CHECK (running IN (0, 1)),
  rounds     INTEGER NOT NULL DEFAULT 0 CHECK (rounds >= 0),
  quorum     INTEGER NOT NULL CHECK (quorum >= 1),
  deadline_ms INTEGER NOT NULL CHECK (deadline_ms > 0),
  strategy   TEXT    NOT NULL CHECK (strategy IN ('exact', 'fedavg'))
) STRICT;

-- An invitation for one device, good once and until it expires. A device proves that it has the secret without sending it, so the
-- secret itself must be kept; it is worth nothing to others once used.
CREATE TABLE invite (
  -- SHA-256 that names the invitation without giving its secret away.
  invite_id  TEXT PRIMARY KEY,
  secret     BLOB    NOT NULL,
  name       TEXT    NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  used_by    TEXT,
  used_at    INTEGER,
  CHECK ((used_by IS NULL) = (used_at IS NULL))
) STRICT;

-- A device that joined: its peer id and the membership record signed for it.
CREATE TABLE member (
  peer_id    TEXT PRIMARY KEY,
  name       TEXT    NOT NULL,
  joined_at  INTEGER NOT NULL,
  membership BLOB    NOT NULL,
  last_seen  INTEGER,
  revoked_at INTEGER,
  -- Why it was revoked; empty while it is a member.
  reason     TEXT    NOT NULL DEFAULT ''
) STRICT;

-- The key epochs whose public keys devices seal their updates to. The private key is a file of mode 0600, deleted after
-- `not_after` and the last round that used it; the row stays as a record.
CREATE TABLE key_epoch (
  epoch      INTEGER PRIMARY KEY,
  key_id     TEXT    NOT NULL UNIQUE,
  public_key BLOB    NOT NULL,
  file       TEXT    NOT NULL,
  not_before INTEGER NOT NULL,
  not_after  INTEGER NOT NULL,
  deleted_at INTEGER
) STRICT;

-- A try at a round. A round whose quorum was missed is aborted and tried again under its number with the next attempt; what
-- devices sent for it stays valid, since the base is the same.
CREATE TABLE round (
  round       INTEGER NOT NULL CHECK (round >= 1),
  attempt     INTEGER NOT NULL CHECK (attempt >= 1),
  phase       TEXT    NOT NULL CHECK (phase IN ('collecting', 'aggregating', 'tuning', 'published', 'aborted')),
  quorum      INTEGER NOT NULL,
  strategy    TEXT    NOT NULL,
  -- SHA-256 of the proxy model's base, and of the shared adapter that updates are deltas to ('' before the first version).
  base_digest TEXT    NOT NULL,
  adapter_digest TEXT NOT NULL,
  opened_at   INTEGER NOT NULL,
  deadline    INTEGER NOT NULL,
  finished_at INTEGER,
  reason      TEXT    NOT NULL DEFAULT '',
  -- The merged adapter, once it exists, and the share of energy its rank dropped.
  merged_digest TEXT,
  energy_dropped REAL,
  PRIMARY KEY (round, attempt)
) STRICT, WITHOUT ROWID;

-- At most one try at any round is unfinished: two runners on one file would count updates twice.
CREATE UNIQUE INDEX round_unfinished ON round ((1)) WHERE phase NOT IN ('published', 'aborted');

-- What a device offered for a round and what became of it: at most one per device and round, so that no update counts twice.
-- `received` ones are files that were opened, verified and promised a receipt; `merged` ones are part of the next version.
CREATE TABLE contribution (
  round       INTEGER NOT NULL,
  device      TEXT    NOT NULL REFERENCES member (peer_id),
  state       TEXT    NOT NULL CHECK (state IN ('offered', 'received', 'merged', 'refused')),
  blob        TEXT    NOT NULL,
  size_bytes  INTEGER NOT NULL,
  offered_at  INTEGER NOT NULL,
  received_at INTEGER,
  -- The number of examples behind the update: its weight.
  examples    INTEGER CHECK (examples > 0),
  -- Why it was refused: the code of an error; empty otherwise.
  reason      TEXT    NOT NULL DEFAULT '',
  PRIMARY KEY (round, device)
) STRICT, WITHOUT ROWID;

-- The highest counter accepted from each device, written in the transaction that accepts its update: a replay has a lower one.
CREATE TABLE sender (
  device  TEXT PRIMARY KEY REFERENCES member (peer_id),
  counter INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The versions of the proxy model's shared adapter; version r was made by round r, version 0 is the base without one and has no row.
-- `llm_state` is the large model's adapter after the same round, NULL while there was no public example to tune it on.
CREATE TABLE version (
  version      INTEGER PRIMARY KEY CHECK (version >= 1),
  -- SHA-256 of the proxy model's base that it adapts.
  base_digest  TEXT    NOT NULL,
  digest       TEXT    NOT NULL,
  -- The same adapter as devices pull it: signed and in chunks.
  blob         TEXT    NOT NULL,
  size_bytes   INTEGER NOT NULL,
  llm_state    TEXT,
  published_at INTEGER NOT NULL
) STRICT;

-- Public examples, the only data a cloud peer has. `held_out` ones are for evaluation and never trained on.
CREATE TABLE example (
  id          TEXT PRIMARY KEY,
  dataset     TEXT    NOT NULL REFERENCES dataset (name),
  held_out    INTEGER NOT NULL CHECK (held_out IN (0, 1)),
  -- '' when the row names none.
  domain      TEXT    NOT NULL,
  task        TEXT    NOT NULL,
  instruction TEXT    NOT NULL,
  input       TEXT    NOT NULL,
  output      TEXT    NOT NULL,
  -- JSON list of accepted answers, when there are several.
  answers     TEXT
) STRICT, WITHOUT ROWID;

-- Every training run reads the examples of one kind in order.
CREATE INDEX example_held_out ON example (held_out, id);

-- Where examples came from.
CREATE TABLE dataset (
  name        TEXT PRIMARY KEY,
  source      TEXT    NOT NULL,
  imported_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Scores as they were measured; for charts and records, nothing depends on them.
CREATE TABLE score (
  at          INTEGER NOT NULL,
  model       TEXT    NOT NULL,
  label       TEXT    NOT NULL,
  round       INTEGER,
  em          REAL    NOT NULL,
  rouge_l     REAL    NOT NULL,
  examples    INTEGER NOT NULL,
  perplexity_per_byte REAL NOT NULL
) STRICT;
