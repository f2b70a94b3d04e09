-- For people with a SQL prompt: the leaf as columns.
CREATE VIEW ledger_view AS
SELECT seq, id,
	json_extract(CAST(leaf AS TEXT), '$.time')        AS time,
	json_extract(CAST(leaf AS TEXT), '$.action')      AS action,
	json_extract(CAST(leaf AS TEXT), '$.class')       AS class,
	json_extract(CAST(leaf AS TEXT), '$.door')        AS door,
	json_extract(CAST(leaf AS TEXT), '$.actor.kind')  AS actor_kind,
	json_extract(CAST(leaf AS TEXT), '$.actor.id')    AS actor_id,
	json_extract(CAST(leaf AS TEXT), '$.object.kind') AS object_kind,
	json_extract(CAST(leaf AS TEXT), '$.object.id')   AS object_id,
	json_extract(CAST(leaf AS TEXT), '$.tenant')      AS tenant,
	json_extract(CAST(leaf AS TEXT), '$.outcome')     AS outcome,
	json_extract(CAST(leaf AS TEXT), '$.reason')      AS reason
FROM ledger_entry;
