-- The action log. docs/log-format.md says what the bytes mean. Nothing here
-- is needed to prove a record: that is done by the leaf alone. No name and no
-- address is in clear, here or in a leaf (SPEC L5).

-- One row for each leaf of the tree. leaf is JSON and holds everything there is
-- to know about the record, so that no column can tell another story than the leaf.
-- frame: table=ledger_entry
CREATE TABLE ledger_entry (
	seq  INTEGER PRIMARY KEY,
	id   TEXT NOT NULL UNIQUE,
	leaf BLOB NOT NULL
);

-- Which seq is leaf 0 of an epoch's tree. Without a row there is one epoch, from 0.
-- frame: table=ledger_epoch
CREATE TABLE ledger_epoch (
	epoch INTEGER PRIMARY KEY,
	base  BIGINT NOT NULL
);

-- The newest leaf of each object: end of its chain. bucket is its place in the heads map.
-- frame: table=ledger_head
CREATE TABLE ledger_head (
	kind   TEXT NOT NULL,
	id     TEXT NOT NULL,
	n      BIGINT NOT NULL,
	seq    BIGINT NOT NULL,
	leaf   BLOB NOT NULL,
	state  TEXT NOT NULL,
	tenant TEXT NOT NULL,
	bucket INTEGER NOT NULL,
	PRIMARY KEY (kind, id)
);
CREATE INDEX ledger_head_bucket ON ledger_head (bucket);

-- frame: table=ledger_tenant
CREATE TABLE ledger_tenant (
	id     TEXT PRIMARY KEY,
	n      BIGINT NOT NULL,
	seq    BIGINT NOT NULL,
	leaf   BLOB NOT NULL,
	bucket INTEGER NOT NULL
);
CREATE INDEX ledger_tenant_bucket ON ledger_tenant (bucket);

-- Personal values, sealed under the key of a period. id is seq*8 + part.
-- frame: table=ledger_personal
CREATE TABLE ledger_personal (
	id     INTEGER PRIMARY KEY,
	period TEXT NOT NULL,
	blind  BLOB,
	sealed BLOB NOT NULL
);
CREATE INDEX ledger_personal_blind ON ledger_personal (blind, id);

-- The periods in use and the id of the first row of each; over: its last
-- value is erased, and its key may be destroyed at any time.
-- frame: table=ledger_period
CREATE TABLE ledger_period (
	period TEXT PRIMARY KEY,
	first  BIGINT NOT NULL,
	over   BIGINT NOT NULL DEFAULT 0
);

-- Field differences that are too long for a leaf, named by their SHA-256.
-- seq is the newest leaf that names them.
-- frame: table=ledger_blob
CREATE TABLE ledger_blob (
	digest TEXT PRIMARY KEY,
	seq    BIGINT NOT NULL,
	data   BLOB NOT NULL
);

-- What to look for in 256 records at once, for lists. Derived from the leaves.
-- frame: table=ledger_block
CREATE TABLE ledger_block (
	block      INTEGER PRIMARY KEY,
	first_time BIGINT NOT NULL,
	last_time  BIGINT NOT NULL,
	keys       BLOB NOT NULL,
	words      BLOB NOT NULL
);

-- Records of complete blocks by hour (microseconds), for histograms. tenant
-- is '*' for the whole server; a record that concerns two counts for each.
-- frame: table=ledger_count
CREATE TABLE ledger_count (
	tenant  TEXT NOT NULL,
	hour    BIGINT NOT NULL,
	class   TEXT NOT NULL,
	outcome TEXT NOT NULL,
	n       BIGINT NOT NULL,
	PRIMARY KEY (tenant, hour, class, outcome)
);

-- Personal values that must be kept although they are due (SPEC L5).
-- frame: table=ledger_hold
CREATE TABLE ledger_hold (
	id        TEXT PRIMARY KEY,
	tenant    TEXT NOT NULL,
	from_time BIGINT NOT NULL,
	to_time   BIGINT NOT NULL,
	reason    TEXT NOT NULL
);
