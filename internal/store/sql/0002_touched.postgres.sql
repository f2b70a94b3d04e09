-- frame: table=store_touched
-- tx tells our own transaction's notes from those of somebody else, and keeps
-- their uncommitted rows from making ours wait.
CREATE TABLE store_touched (
    tx   BIGINT NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
    kind TEXT   NOT NULL,
    id   TEXT   NOT NULL,
    PRIMARY KEY (tx, kind, id)
);
