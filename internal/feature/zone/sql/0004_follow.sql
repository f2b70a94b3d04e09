-- object: table=zone_primary kind=zone id=zone_id
-- A zone that is fed from elsewhere (secondary mode, SPEC D4): from where.
CREATE TABLE zone_primary (
  zone_id   TEXT PRIMARY KEY,
  primaries TEXT NOT NULL, -- addresses with ports, blanks between, the preferred one first
  tsig      TEXT NOT NULL  -- name of the TSIG key that signs what is asked; empty: none
);
