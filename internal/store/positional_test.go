package store

import "testing"

func TestPositionalKeepsTheMeaning(t *testing.T) {
	for q, want := range map[string]string{
		`INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4)`:    `INSERT INTO t (a, b) VALUES (?, ?), (?, ?)`,
		`SELECT a FROM t WHERE b = $1`:                      `SELECT a FROM t WHERE b = ?`,
		`SELECT a FROM t WHERE b = $2 AND c = $1`:           `SELECT a FROM t WHERE b = $2 AND c = $1`,
		`SELECT a FROM t WHERE b = $1 OR c = $1`:            `SELECT a FROM t WHERE b = $1 OR c = $1`,
		`SELECT a FROM t WHERE b = '$1' AND c = $1`:         `SELECT a FROM t WHERE b = '$1' AND c = $1`,
		`SELECT a FROM t WHERE b = $name`:                   `SELECT a FROM t WHERE b = $name`,
		`SELECT a FROM t`:                                   `SELECT a FROM t`,
		`SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10`:    `SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?`,
		`SELECT $1, $3`:                                     `SELECT $1, $3`,
		`DELETE FROM t WHERE a = $1 -- the first: $1 is it`: `DELETE FROM t WHERE a = $1 -- the first: $1 is it`,
	} {
		if got := positional(q); got != want {
			t.Errorf("%s became %s, want %s", q, got, want)
		}
	}
}
