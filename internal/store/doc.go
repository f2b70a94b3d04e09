// Package store opens the database: SQLite in the data folder, or PostgreSQL.
// It gives exactly one Writer and any number of read-only Snapshots, runs
// migrations, and holds the lease that makes this process the only writer.
//
// Two engines, one behaviour (SPEC Q2): queries are written once, with $1
// placeholders and portable types (TEXT, BIGINT, INTEGER, BOOLEAN, BLOB); on
// PostgreSQL a domain called blob stands for bytea.
package store
