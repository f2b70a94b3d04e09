-- frame: table=act_key
-- Answers of calls that carried an Idempotency-Key, kept for a day. Output of
-- operations that reveal a secret is not kept.
CREATE TABLE act_key (
  actor  TEXT NOT NULL,
  key    TEXT NOT NULL,
  op     TEXT NOT NULL,
  input  TEXT NOT NULL,
  answer TEXT NOT NULL,
  at     BIGINT NOT NULL,
  PRIMARY KEY (actor, key)
);
CREATE INDEX act_key_at ON act_key (at);
