-- One row: from where administrators may act. A list is JSON, ordered; version is
-- another with every change.
-- object: table=access_policy kind=access id=id
CREATE TABLE access_policy (
  id      TEXT PRIMARY KEY,
  mode    TEXT NOT NULL, -- all-but-listed or only-listed
  version TEXT NOT NULL,
  refused TEXT NOT NULL, -- networks that all-but-listed refuses
  allowed TEXT NOT NULL  -- networks that only-listed admits
);
