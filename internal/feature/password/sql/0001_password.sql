-- One row: what is asked of passwords. level is 0 (very weak) to 4 (very strong).
-- The rest says which offline list of breached passwords is in force: its file in
-- the folder "blocklist", SHA-256 of what is in it, and where it came from.
-- object: table=password_policy kind=password id=id
CREATE TABLE password_policy (
  id      TEXT PRIMARY KEY,
  level   BIGINT NOT NULL,
  file    TEXT NOT NULL,
  digest  TEXT NOT NULL,
  kind    TEXT NOT NULL,
  entries BIGINT NOT NULL,
  source  TEXT NOT NULL,
  adopted BIGINT NOT NULL
);
