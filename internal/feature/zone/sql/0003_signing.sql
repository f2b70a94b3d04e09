-- object: table=zone_signing kind=zone id=zone_id
-- How a zone is signed (SPEC D5); without a row it never was to be.
CREATE TABLE zone_signing (
  zone_id TEXT PRIMARY KEY,
  wish    TEXT NOT NULL,   -- JSON: what its owner wants
  state   TEXT NOT NULL,   -- JSON: its keys, and what caches may hold of it
  since   BIGINT NOT NULL, -- version from which the keys have their present duties
  next    BIGINT NOT NULL  -- when its keys are looked at again, microseconds; 9223372036854775807: when something happens
);
CREATE INDEX zone_signing_next ON zone_signing (next);

-- object: table=zone_key kind=zone id=zone_id
-- Private halves of keys, sealed by the keeper, base64.
CREATE TABLE zone_key (
  zone_id TEXT NOT NULL,
  id      TEXT NOT NULL,
  sealed  TEXT NOT NULL,
  PRIMARY KEY (zone_id, id)
);
