-- object: table=peer_key kind=tsig id=id
-- TSIG keys (RFC 8945): shared with other servers and with programs that update zones.
CREATE TABLE peer_key (
  id        TEXT PRIMARY KEY,
  name      TEXT NOT NULL UNIQUE, -- a domain name; both sides call it the same
  algorithm TEXT NOT NULL,
  owner     TEXT NOT NULL,
  sealed    TEXT NOT NULL,        -- the secret, as the keeper sealed it, base64
  made      BIGINT NOT NULL       -- microseconds
);
CREATE INDEX peer_key_owner ON peer_key (owner, name);

-- object: table=peer_rule kind=tsig id=key_id
-- What a key may change in zones by dynamic update (RFC 2136).
CREATE TABLE peer_rule (
  key_id  TEXT NOT NULL,
  zone_id TEXT NOT NULL,
  match   TEXT NOT NULL, -- exactly, subtree, wildcard
  name    TEXT NOT NULL,
  types   TEXT NOT NULL, -- blanks between; empty: all but SOA, NS, DS and what signing makes
  PRIMARY KEY (key_id, zone_id, match, name)
);

-- object: table=peer_server kind=peer id=id
-- Other nameservers: who takes zones from here, who is told of new versions.
CREATE TABLE peer_server (
  id      TEXT PRIMARY KEY,
  name    TEXT NOT NULL UNIQUE,
  sources TEXT NOT NULL, -- networks it asks from, blanks between
  told    TEXT NOT NULL, -- addresses it is told at, blanks between
  key_id  TEXT NOT NULL, -- empty: none
  zones   TEXT NOT NULL, -- names, blanks between; empty: all
  made    BIGINT NOT NULL
);
