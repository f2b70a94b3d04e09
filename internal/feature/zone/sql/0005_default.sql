-- object: table=zone_default kind=zonedefault id=tenant
-- How new zones of a tenant, and of those below it, are signed unless they say otherwise.
CREATE TABLE zone_default (
  tenant TEXT PRIMARY KEY,
  wish   TEXT NOT NULL -- JSON
);
