package store

import (
	"errors"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
)

// The questions below are about errors of either engine.

// IsUnique says that a row with this key exists already.
func IsUnique(err error) bool {
	c := sqliteCode(err)
	return c == 2067 || c == 1555 || c == 2579 || pgCode(err) == "23505"
}

// IsForeign says that a row refers to one that does not exist, or is referred to.
func IsForeign(err error) bool { return sqliteCode(err) == 787 || pgCode(err) == "23503" }

// IsFull says that the disk is full: nothing was changed, and it can be tried
// again when there is room.
func IsFull(err error) bool {
	return sqliteCode(err)&0xff == sqliteFull || pgCode(err) == "53100" || errors.Is(err, syscall.ENOSPC)
}

// IsSerialization says that others were in the way and trying again may help.
func IsSerialization(err error) bool {
	c := sqliteCode(err) & 0xff
	p := pgCode(err)
	return c == sqliteBusy || c == sqliteLocked || p == "40001" || p == "40P01" || p == "55P03"
}

// Primary result codes, https://www.sqlite.org/rescode.html.
const (
	sqliteBusy       = 5
	sqliteLocked     = 6
	sqliteConstraint = 19
	sqliteFull       = 13
)

func sqliteCode(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code()
	}
	return 0
}

// pgCode is the SQLSTATE, PostgreSQL documentation appendix A.
func pgCode(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}
