-- frame: table=store_touched
-- tx is of use on PostgreSQL only: here nobody else writes while we do.
CREATE TABLE store_touched (
    tx   BIGINT NOT NULL DEFAULT 0,
    kind TEXT   NOT NULL,
    id   TEXT   NOT NULL,
    PRIMARY KEY (tx, kind, id)
) WITHOUT ROWID;
