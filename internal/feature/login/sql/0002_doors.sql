-- What a session was opened with, whom it acts as, and how it was proved last.
ALTER TABLE login_session ADD COLUMN method TEXT NOT NULL DEFAULT 'password';
ALTER TABLE login_session ADD COLUMN proved BIGINT NOT NULL DEFAULT 0;
ALTER TABLE login_session ADD COLUMN strong BIGINT NOT NULL DEFAULT 0;  -- 1: by a second factor or a passkey
ALTER TABLE login_session ADD COLUMN linked BIGINT NOT NULL DEFAULT 0;  -- 1: the link for a new factor was shown
ALTER TABLE login_session ADD COLUMN acting TEXT NOT NULL DEFAULT '';   -- account that its owner acts as

-- What a link is for: empty for a password, factor for a new second factor.
ALTER TABLE login_setup ADD COLUMN purpose TEXT NOT NULL DEFAULT '';

-- What a password was held against last, and why it must be changed.
ALTER TABLE login_credential ADD COLUMN judged TEXT NOT NULL DEFAULT '';
ALTER TABLE login_credential ADD COLUMN weak TEXT NOT NULL DEFAULT '';

-- Until when a row counts.
ALTER TABLE login_throttle ADD COLUMN kept BIGINT NOT NULL DEFAULT 0;
DROP INDEX login_throttle_until;
CREATE INDEX login_throttle_kept ON login_throttle (kept);

-- A browser from which somebody got in before. Failures are those of log-ins
-- that showed its token.
-- object: table=login_device kind=device id=id
CREATE TABLE login_device (
  id       TEXT PRIMARY KEY,
  account  TEXT NOT NULL,
  hash     TEXT NOT NULL UNIQUE,
  agent    TEXT NOT NULL,
  address  TEXT NOT NULL,
  made     BIGINT NOT NULL,
  seen     BIGINT NOT NULL,
  failures BIGINT NOT NULL
);
CREATE INDEX login_device_account ON login_device (account, seen);

-- One row: how many failures lock a name, and how long sessions last, in minutes.
-- object: table=login_limits kind=limits id=id
CREATE TABLE login_limits (
  id             TEXT PRIMARY KEY,
  failures       BIGINT NOT NULL,
  admin_idle     BIGINT NOT NULL,
  admin_total    BIGINT NOT NULL,
  reseller_idle  BIGINT NOT NULL,
  reseller_total BIGINT NOT NULL,
  customer_idle  BIGINT NOT NULL,
  customer_total BIGINT NOT NULL
);
