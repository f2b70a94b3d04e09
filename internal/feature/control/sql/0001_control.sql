-- The last order of each control, as the agent gets it: its SHA-256 is the state
-- of the object in the log. answer is what people said while it waited: keep, undo.
-- Times are microseconds since 1970.
-- object: table=control_order kind=control id=control
CREATE TABLE control_order (
  control TEXT PRIMARY KEY,
  number  BIGINT NOT NULL,
  raw     TEXT NOT NULL,
  answer  TEXT NOT NULL,
  made    BIGINT NOT NULL
);

-- How far the agent's journal has been taken: number and hash of the last entry.
-- object: table=control_agent kind=agent id=id
CREATE TABLE control_agent (
  id   TEXT PRIMARY KEY,
  seq  BIGINT NOT NULL,
  hash TEXT NOT NULL
);
