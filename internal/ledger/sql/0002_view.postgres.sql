-- INTEGER PRIMARY KEY is 64 bits wide on SQLite, where it names the row itself.
ALTER TABLE ledger_entry ALTER COLUMN seq TYPE BIGINT;
ALTER TABLE ledger_personal ALTER COLUMN id TYPE BIGINT;
ALTER TABLE ledger_block ALTER COLUMN block TYPE BIGINT;

-- For people with a SQL prompt: the leaf as columns.
CREATE VIEW ledger_view AS
SELECT seq, id, leaf ->> 'time' AS time, leaf ->> 'action' AS action, leaf ->> 'class' AS class,
	leaf ->> 'door' AS door, leaf -> 'actor' ->> 'kind' AS actor_kind, leaf -> 'actor' ->> 'id' AS actor_id,
	leaf -> 'object' ->> 'kind' AS object_kind, leaf -> 'object' ->> 'id' AS object_id,
	leaf ->> 'tenant' AS tenant, leaf ->> 'outcome' AS outcome, leaf ->> 'reason' AS reason
FROM (SELECT seq, id, CAST(convert_from(leaf, 'UTF8') AS jsonb) AS leaf FROM ledger_entry) AS entry;
