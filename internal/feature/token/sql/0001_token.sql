-- object: table=token kind=token id=id
-- Times are microseconds since 1970; used is coarse, 0: never.
CREATE TABLE token (
  id      TEXT PRIMARY KEY,
  account TEXT NOT NULL,
  name    TEXT NOT NULL,
  hash    TEXT NOT NULL UNIQUE,
  created BIGINT NOT NULL,
  expires BIGINT NOT NULL,
  used    BIGINT NOT NULL
);
CREATE INDEX token_account ON token (account, created);
