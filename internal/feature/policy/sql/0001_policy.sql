-- object: table=policy_value kind=policy id=policy_id
-- What panel.ini said when it was last adopted, key by key.
CREATE TABLE policy_value (
  policy_id TEXT NOT NULL,
  name      TEXT NOT NULL,
  value     TEXT NOT NULL,
  PRIMARY KEY (policy_id, name)
);

-- object: table=policy_wish kind=policy id=policy_id
-- Values that somebody asked for in the panel and that the file does not say yet.
CREATE TABLE policy_wish (
  policy_id TEXT NOT NULL,
  name      TEXT NOT NULL,
  value     TEXT NOT NULL,
  PRIMARY KEY (policy_id, name)
);
