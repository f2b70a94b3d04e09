-- object: table=account kind=account id=id
-- parent is "provider" or the id of a reseller. login is in lower case.
-- Times are microseconds since 1970; disabled is 0 while the account is open;
-- barred is the tenant whose people closed it.
CREATE TABLE account (
  id       TEXT PRIMARY KEY,
  login    TEXT NOT NULL UNIQUE,
  name     TEXT NOT NULL,
  email    TEXT NOT NULL,
  role     TEXT NOT NULL,
  parent   TEXT NOT NULL,
  disabled BIGINT NOT NULL,
  barred   TEXT NOT NULL,
  created  BIGINT NOT NULL
);
CREATE INDEX account_parent ON account (parent, login);
-- There is one primary administrator, whoever asks twice at once.
CREATE UNIQUE INDEX account_primary ON account (role) WHERE role = 'administrator';
