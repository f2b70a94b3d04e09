-- object: table=handler_policy kind=handler id=id
-- Whether sites may choose handlers. There is one policy.
CREATE TABLE handler_policy (
  id      TEXT PRIMARY KEY,
  apache  BIGINT NOT NULL, -- 1: sites choose no handlers
  rewrite BIGINT NOT NULL  -- 1: RewriteRule stays allowed
);

-- object: table=handler_exception kind=handler id=policy_id
-- Folders that keep what they had.
CREATE TABLE handler_exception (
  policy_id TEXT NOT NULL,
  folder    TEXT NOT NULL,
  PRIMARY KEY (policy_id, folder)
);
