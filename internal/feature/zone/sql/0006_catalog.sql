-- A zone that lists others (RFC 9432), and the zones that were taken from it.
ALTER TABLE zone_primary ADD COLUMN lists BIGINT NOT NULL DEFAULT 0;   -- 1: it is a catalog
ALTER TABLE zone_primary ADD COLUMN catalog TEXT NOT NULL DEFAULT '';  -- id of the catalog that lists it; empty: none
ALTER TABLE zone_primary ADD COLUMN label TEXT NOT NULL DEFAULT '';    -- under which it stands there
CREATE INDEX zone_primary_catalog ON zone_primary (catalog);
