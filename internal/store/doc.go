// Package store opens the database: SQLite in the data folder, or PostgreSQL
// (13 or newer, a database of its own). It gives exactly one Writer and any
// number of read-only Snapshots, runs migrations, and holds the lease that
// makes this process the only writer.
//
// Two engines, one behaviour (SPEC Q2): queries are written once, with $1
// placeholders and portable types (TEXT, BIGINT, INTEGER, BOOLEAN, BLOB); on
// PostgreSQL a domain called blob stands for bytea.
//
// Nothing writes unseen (SPEC L1). A migration says of each table which object
// its rows belong to:
//
//	-- object: table=zone_rrset kind=zone id=zone_id
//
// and the store puts triggers on the table that note the object in
// store_touched whenever a row changes, whoever changes it. The writer hands
// these notes to the bus (Touched), which compares them with the recorded
// events. Tables of the frame have no object:
//
//	-- frame: table=act_idempotency
//
// and `-- gone: table=…` ends either. A table that is not declared, a trigger
// that is not ours, or a note that nobody drained stops the show. Rows changed
// by hand, while we ran or not, guards that were altered and rows changed by an
// upgrade come out of Store.Warnings, to be put on record.
package store
