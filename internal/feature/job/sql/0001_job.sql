-- object: table=job_job kind=job id=id
CREATE TABLE job_job (
  id      TEXT PRIMARY KEY,
  op      TEXT NOT NULL,
  tenant  TEXT NOT NULL,
  actor   TEXT NOT NULL,
  state   TEXT NOT NULL, -- running, cancelling, done, failed, interrupted
  summary TEXT NOT NULL,
  started BIGINT NOT NULL,
  ended   BIGINT NOT NULL -- 0: not yet
);
CREATE INDEX job_job_started ON job_job (started);
