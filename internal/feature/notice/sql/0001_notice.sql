-- Times are microseconds since 1970.

-- object: table=notice kind=notice id=id
CREATE TABLE notice (
  id      TEXT PRIMARY KEY,
  account TEXT NOT NULL,
  subject TEXT NOT NULL,
  text    TEXT NOT NULL,
  made    BIGINT NOT NULL,
  seen    BIGINT NOT NULL -- 0: not yet
);
CREATE INDEX notice_account ON notice (account, made);

-- A mail that waits to be sent. about is the notice, or what kind of letter it
-- is for the feature that writes it; account is empty for one to nobody. address
-- is where it goes when that is not the account's own address.
-- object: table=notice_letter kind=letter id=id
CREATE TABLE notice_letter (
  id      TEXT PRIMARY KEY,
  account TEXT NOT NULL,
  about   TEXT NOT NULL,
  address TEXT NOT NULL,
  made    BIGINT NOT NULL,
  tries   BIGINT NOT NULL,
  due     BIGINT NOT NULL
);
CREATE INDEX notice_letter_due ON notice_letter (due);
