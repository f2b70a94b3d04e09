-- frame: table=store_migration
CREATE TABLE store_migration (
    name   TEXT   NOT NULL,
    file   TEXT   NOT NULL,
    digest TEXT   NOT NULL,
    at     BIGINT NOT NULL,
    PRIMARY KEY (name, file)
);

-- frame: table=store_lease
CREATE TABLE store_lease (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    fence  BIGINT NOT NULL,
    holder TEXT   NOT NULL,
    at     BIGINT NOT NULL
);
INSERT INTO store_lease (id, fence, holder, at) VALUES (1, 0, '', 0);

-- frame: table=store_warning
CREATE TABLE store_warning (
    n      BIGINT PRIMARY KEY,
    at     BIGINT NOT NULL,
    cause  TEXT   NOT NULL,
    kind   TEXT   NOT NULL,
    id     TEXT   NOT NULL,
    detail TEXT   NOT NULL
);
