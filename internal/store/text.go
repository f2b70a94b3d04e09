package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// may says whether a statement's text is one that features can run. The
// verdict is kept per text, so that it costs one map look-up.
func (w *Writer) may(ctx context.Context, q string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	verdict, known := w.texts[q]
	if !known {
		verdict = admissible(q)
		w.texts[q] = verdict
	}
	if verdict != nil {
		return verdict
	}
	if err := w.ready(); err != nil {
		return err
	}
	w.dirty = true
	return nil
}

// admissible refuses what could write past the gate or end the transaction
// under the bus: schema and transaction statements, PRAGMA, SET, several
// statements in one text, the store's own tables, and functions that change
// the session. It guards against features that err or cheat in the source, whose
// texts are constants; input never gets into a text.
func admissible(q string) error {
	verb := strings.ToUpper(firstWord(q))
	switch verb {
	case "SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "VALUES":
	default:
		return fmt.Errorf("a statement begins with %q; accepted are SELECT, INSERT, UPDATE, DELETE, WITH and VALUES", verb)
	}
	if strings.Contains(strings.TrimRight(q, "; \n\t"), ";") {
		return errors.New("a statement contains a semicolon; pass text with semicolons as an argument")
	}
	if m := reserved.FindString(q); m != "" {
		return fmt.Errorf("a statement names %q, which is the store's to use", strings.TrimSpace(m))
	}
	return nil
}

// reserved matches names of the store's tables, of what steers the session or
// the schema, and PostgreSQL's escapes with which a name could be written in
// another way.
var reserved = regexp.MustCompile(`(?i)\b(store|pg|pragma|sqlite|dblink|lo)_\w*|\bset_config\b|\bu&["']`)

func firstWord(q string) string {
	q = strings.TrimLeft(q, " \t\r\n(")
	end := strings.IndexFunc(q, func(r rune) bool { return (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') })
	if end < 0 {
		return q
	}
	return q[:end]
}

// failedRow is a row that gives err when scanned: database/sql has no other way
// to make one.
func failedRow(err error) *sql.Row {
	db := sql.OpenDB(failing{err})
	defer db.Close()
	return db.QueryRow("")
}

type failing struct{ err error }

func (f failing) Connect(context.Context) (driver.Conn, error) { return nil, f.err }
func (f failing) Driver() driver.Driver                        { return nil }
