-- Which keys are in force: one row for the server's secret key (purpose is empty,
-- secret is its id), one for each purpose with a key of its own (its generation,
-- and how many values were sealed again under it). since is in microseconds since 1970.
-- object: table=secret_note kind=secret id=server
CREATE TABLE secret_note (
  server     TEXT NOT NULL,
  purpose    TEXT PRIMARY KEY,
  secret     TEXT NOT NULL,
  generation BIGINT NOT NULL,
  kept       BIGINT NOT NULL,
  since      BIGINT NOT NULL
);
