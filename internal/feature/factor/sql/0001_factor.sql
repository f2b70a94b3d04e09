-- Times are microseconds since 1970.

-- The app of an account: the seed in use, and one that is being set up. last is
-- the step of the newest accepted code.
-- object: table=factor_totp kind=totp id=account
CREATE TABLE factor_totp (
  account   TEXT PRIMARY KEY,
  sealed    TEXT NOT NULL, -- base64; empty: none in use
  confirmed BIGINT NOT NULL,
  last      BIGINT NOT NULL,
  pending   TEXT NOT NULL, -- base64; empty: none
  begun     BIGINT NOT NULL
);

-- asked is when the newest challenge was issued that this passkey answered.
-- object: table=factor_passkey kind=passkey id=id
CREATE TABLE factor_passkey (
  id      TEXT PRIMARY KEY,
  account TEXT NOT NULL,
  name    TEXT NOT NULL,
  handle  TEXT NOT NULL UNIQUE, -- id of the credential, as browsers write it
  data    TEXT NOT NULL,        -- public key, counter, flags
  made    BIGINT NOT NULL,
  used    BIGINT NOT NULL,
  asked   BIGINT NOT NULL
);
CREATE INDEX factor_passkey_account ON factor_passkey (account);

-- Of each recovery code only SHA-256; a row goes when its code is used.
-- object: table=factor_recovery kind=recovery id=account
CREATE TABLE factor_recovery (
  account TEXT NOT NULL,
  hash    TEXT NOT NULL,
  made    BIGINT NOT NULL,
  PRIMARY KEY (account, hash)
);

-- Accounts whose factors were reset and that have none again yet.
-- object: table=factor_reset kind=factor id=account
CREATE TABLE factor_reset (
  account TEXT PRIMARY KEY,
  at      BIGINT NOT NULL
);

-- Who must have a second factor. grace is in days.
-- object: table=factor_policy kind=mfa id=policy
CREATE TABLE factor_policy (
  policy   TEXT NOT NULL,
  role     TEXT NOT NULL,
  required BIGINT NOT NULL,
  grace    BIGINT NOT NULL,
  since    BIGINT NOT NULL,
  PRIMARY KEY (policy, role)
);
