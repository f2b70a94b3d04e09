-- What a token may (JSON; empty: from before there were grants, whatever its
-- owner may), from where (JSON; empty: from everywhere), and after how many days
-- without a use it ends (0: never by that).
ALTER TABLE token ADD COLUMN grants TEXT NOT NULL DEFAULT '';
ALTER TABLE token ADD COLUMN networks TEXT NOT NULL DEFAULT '';
ALTER TABLE token ADD COLUMN unused BIGINT NOT NULL DEFAULT 0;
ALTER TABLE token ADD COLUMN warned BIGINT NOT NULL DEFAULT 0; -- its owner was told that it is about to end
