-- object: table=actionlog_hold kind=hold id=id
-- Legal holds: personal values of these records are kept although they are due (SPEC L5).
CREATE TABLE actionlog_hold (
  id        TEXT PRIMARY KEY,
  tenant    TEXT NOT NULL, -- "" for all
  from_time BIGINT NOT NULL,
  to_time   BIGINT NOT NULL, -- 0: no bound
  reason    TEXT NOT NULL
);
