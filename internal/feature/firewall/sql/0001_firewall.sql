-- object: table=firewall_setting kind=firewall id=firewall
-- What is one object: the firewall "server".
CREATE TABLE firewall_setting (
  name     TEXT PRIMARY KEY, -- output, containers, bridges, log, lockout
  firewall TEXT NOT NULL,
  value    TEXT NOT NULL
);

-- object: table=firewall_service kind=firewall id=firewall
-- Services of the catalogue about which somebody decided.
CREATE TABLE firewall_service (
  name     TEXT PRIMARY KEY,
  firewall TEXT NOT NULL,
  open_to  TEXT NOT NULL, -- all, nobody, or networks and @set, blanks between
  ports    TEXT NOT NULL  -- blanks between
);

-- object: table=firewall_rule kind=firewall id=firewall
CREATE TABLE firewall_rule (
  id        TEXT PRIMARY KEY,
  firewall  TEXT NOT NULL,
  place     BIGINT NOT NULL, -- rules are gone through in this order
  direction TEXT NOT NULL,
  protocol  TEXT NOT NULL,
  ports     TEXT NOT NULL, -- blanks between; empty: all
  peers     TEXT NOT NULL, -- networks and @set, blanks between; empty: all
  action    TEXT NOT NULL,
  comment   TEXT NOT NULL
);

-- object: table=firewall_set kind=firewall id=firewall
CREATE TABLE firewall_set (
  name     TEXT PRIMARY KEY,
  firewall TEXT NOT NULL,
  networks TEXT NOT NULL -- blanks between
);
