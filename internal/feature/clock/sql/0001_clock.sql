-- What the clock should go by, as JSON; without a row the defaults count.
-- object: table=clock_wish kind=clock id=id
CREATE TABLE clock_wish (
  id   TEXT PRIMARY KEY,
  wish TEXT NOT NULL
);

-- The alarms that stand.
-- object: table=clock_alarm kind=clock id=clock_id
CREATE TABLE clock_alarm (
  clock_id TEXT NOT NULL,
  code     TEXT NOT NULL,
  about    TEXT NOT NULL, -- the source, or empty
  text     TEXT NOT NULL, -- as it was when it began
  since    BIGINT NOT NULL, -- microseconds
  PRIMARY KEY (clock_id, code, about)
);

-- What was measured: of the last week about ten minutes to a row, then hours.
-- object: table=clock_point kind=clockday id=day
CREATE TABLE clock_point (
  day       TEXT NOT NULL,   -- UTC, 2026-11-27
  begun     BIGINT NOT NULL, -- microseconds of the clock, as all times
  ended     BIGINT NOT NULL,
  looks     BIGINT NOT NULL, -- how often chronyd said what the offset is; 0: never
  low       BIGINT NOT NULL, -- nanoseconds that the clock was ahead, at least
  high      BIGINT NOT NULL, -- and at most
  stratum   BIGINT NOT NULL, -- 0: it followed no source
  usable    BIGINT NOT NULL, -- sources, at least
  boot      TEXT NOT NULL,   -- which boot of the machine
  up        BIGINT NOT NULL, -- microseconds since then, at the end
  PRIMARY KEY (day, begun)
);
CREATE INDEX clock_point_begun ON clock_point (begun);
