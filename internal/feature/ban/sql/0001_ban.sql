-- Times are microseconds since 1970, lengths seconds.

-- object: table=ban_policy kind=banpolicy id=id
-- One row: engine, jails, trusted networks, as JSON.
CREATE TABLE ban_policy (
  id       TEXT PRIMARY KEY,
  settings TEXT NOT NULL
);

-- object: table=ban_order kind=ban id=id
-- What an engine is still to do: a person has asked for it.
CREATE TABLE ban_order (
  id      TEXT PRIMARY KEY,
  verb    TEXT NOT NULL,   -- ban, lift
  prefix  TEXT NOT NULL,
  seconds BIGINT NOT NULL, -- 0: until somebody lifts it
  reason  TEXT NOT NULL,
  salt    TEXT NOT NULL,   -- so that its digest does not tell the address
  made    BIGINT NOT NULL,
  tries   BIGINT NOT NULL,
  fault   TEXT NOT NULL    -- of the last try
);

-- object: table=ban_day kind=ban id=id
-- What engines did, by the day on which it was noted.
CREATE TABLE ban_day (
  id     TEXT PRIMARY KEY, -- 2026-11-27
  salt   TEXT NOT NULL,    -- begins the chain
  events BIGINT NOT NULL,
  chain  TEXT NOT NULL     -- SHA-256 over its rows, each with the sum before
);

-- object: table=ban_event kind=ban id=day
CREATE TABLE ban_event (
  day      TEXT NOT NULL,
  n        BIGINT NOT NULL,
  engine   TEXT NOT NULL,
  seq      BIGINT NOT NULL, -- of the engine
  time     BIGINT NOT NULL,
  what     TEXT NOT NULL,
  jail     TEXT NOT NULL,
  prefix   TEXT NOT NULL,
  cause    TEXT NOT NULL,
  until    BIGINT NOT NULL, -- 0: until somebody lifts it
  times    BIGINT NOT NULL,
  failures BIGINT NOT NULL,
  lines    TEXT NOT NULL,   -- JSON
  PRIMARY KEY (day, n)
);
CREATE INDEX ban_event_time ON ban_event (time);
CREATE INDEX ban_event_prefix ON ban_event (prefix, time);
CREATE INDEX ban_event_seq ON ban_event (engine, day, seq);
