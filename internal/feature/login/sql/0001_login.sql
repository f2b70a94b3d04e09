-- Times are microseconds since 1970. Of passwords and tokens only what checks
-- them is kept: an argon2id hash, or SHA-256 of 256 random bits.

-- object: table=login_credential kind=credential id=account
CREATE TABLE login_credential (
  account  TEXT PRIMARY KEY,
  phc      TEXT NOT NULL,
  changed  BIGINT NOT NULL,
  failures BIGINT NOT NULL, -- since the last log-in
  failed   BIGINT NOT NULL  -- when last
);

-- object: table=login_session kind=session id=id
CREATE TABLE login_session (
  id      TEXT PRIMARY KEY,
  account TEXT NOT NULL,
  hash    TEXT NOT NULL UNIQUE,
  started BIGINT NOT NULL,
  seen    BIGINT NOT NULL, -- renewed at most four times per idle limit
  idle    BIGINT NOT NULL, -- may be unused for so long
  expires BIGINT NOT NULL,
  address TEXT NOT NULL,
  agent   TEXT NOT NULL
);
CREATE INDEX login_session_account ON login_session (account, started);
CREATE INDEX login_session_expires ON login_session (expires);

-- A link without an account is for the first administrator.
-- object: table=login_setup kind=setup id=id
CREATE TABLE login_setup (
  id      TEXT PRIMARY KEY,
  account TEXT NOT NULL,
  hash    TEXT NOT NULL UNIQUE,
  created BIGINT NOT NULL,
  expires BIGINT NOT NULL,
  used    BIGINT NOT NULL -- 0: not yet
);
CREATE INDEX login_setup_account ON login_setup (account);

-- Failures of a network, alone and with a name; names only as hashes. A row is
-- forgotten 15 minutes after its last wait.
-- object: table=login_throttle kind=throttle id=door
CREATE TABLE login_throttle (
  key      TEXT PRIMARY KEY,
  door     TEXT NOT NULL,
  failures BIGINT NOT NULL,
  last     BIGINT NOT NULL,
  until    BIGINT NOT NULL
);
CREATE INDEX login_throttle_until ON login_throttle (until);
