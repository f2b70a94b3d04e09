-- object: table=zone_zone kind=zone id=id
-- One row a zone. A deleted one keeps its rows, so that it can come back.
CREATE TABLE zone_zone (
  id         TEXT PRIMARY KEY,
  name       TEXT NOT NULL,    -- absolute, canonical
  shown      TEXT NOT NULL,    -- as people read it: IDN as letters, no final dot
  place      TEXT NOT NULL,    -- labels from the right, each ended by a blank
  owner      TEXT NOT NULL,
  serial     BIGINT NOT NULL,
  version    BIGINT NOT NULL,
  generation BIGINT NOT NULL,  -- which rows of zone_rrset are live
  sets       BIGINT NOT NULL,
  records    BIGINT NOT NULL,
  created    BIGINT NOT NULL,  -- microseconds, like all times
  changed    BIGINT NOT NULL,
  deleted    BIGINT NOT NULL   -- 0: the zone is there
);
CREATE UNIQUE INDEX zone_zone_name ON zone_zone (name) WHERE deleted = 0;
CREATE INDEX zone_zone_owner ON zone_zone (owner, deleted, name);
CREATE INDEX zone_zone_place ON zone_zone (place);

-- object: table=zone_rrset kind=zone id=zone_id
CREATE TABLE zone_rrset (
  zone_id    TEXT NOT NULL,
  generation BIGINT NOT NULL,
  name       TEXT NOT NULL,
  type       TEXT NOT NULL,
  ttl        BIGINT NOT NULL,  -- seconds
  data       TEXT NOT NULL,    -- one record a line
  PRIMARY KEY (zone_id, generation, name, type)
);

-- object: table=zone_version kind=zone id=zone_id
-- Every version (SPEC D7): what its change found and what it left, as JSON.
CREATE TABLE zone_version (
  zone_id TEXT NOT NULL,
  version BIGINT NOT NULL,
  serial  BIGINT NOT NULL,
  at      BIGINT NOT NULL,
  actor   TEXT NOT NULL,       -- id only: names are personal and age out of the log
  action  TEXT NOT NULL,
  added   BIGINT NOT NULL,     -- records
  removed BIGINT NOT NULL,
  change  TEXT NOT NULL,
  PRIMARY KEY (zone_id, version)
);

-- object: table=zone_digest kind=zone id=zone_id
-- Running sums of the state digest, beside the zone since they are long.
CREATE TABLE zone_digest (
  zone_id TEXT PRIMARY KEY,
  sets    BLOB NOT NULL,
  history TEXT NOT NULL
);
