package store

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

//go:embed sql
var own embed.FS

// plan is what the binary knows: the files to apply and what they declare.
type plan struct {
	steps    []step
	declared map[string]declaration // by table
}

// step is one migration file.
type step struct {
	name, file, digest, text string
	declares                 []declaration
}

// declaration says which object the rows of a table belong to.
type declaration struct {
	table    string
	frame    bool
	gone     bool
	kind, id string
}

// framers may have tables without an object: they are the log and the door.
var framers = []string{"store", "ledger", "act"}

func newPlan(engine string, ms []Migration) (plan, error) {
	p := plan{declared: map[string]declaration{}}
	ms = append([]Migration{{Name: "store", FS: own}}, ms...)
	seen := map[string]bool{}
	for _, m := range ms {
		if !identifier.MatchString(m.Name) || seen[m.Name] {
			return plan{}, fmt.Errorf("migration %q: each needs its own name of lower-case letters, digits and _", m.Name)
		}
		seen[m.Name] = true
		if err := p.add(engine, m); err != nil {
			return plan{}, fmt.Errorf("migration %s: %w", m.Name, err)
		}
	}
	return p, nil
}

func (p *plan) add(engine string, m Migration) error {
	files, err := fs.Glob(m.FS, "sql/*.sql")
	if err != nil {
		return err
	}
	slices.Sort(files)
	for _, f := range files {
		if !forEngine(engine, f) {
			continue
		}
		s, err := newStep(m, f)
		if err != nil {
			return fmt.Errorf("%s: %w", path.Base(f), err)
		}
		p.steps = append(p.steps, s)
		for _, d := range s.declares {
			p.declared[d.table] = d
		}
	}
	return nil
}

func forEngine(engine, file string) bool {
	for _, e := range []string{"sqlite", "postgres"} {
		if strings.HasSuffix(file, "."+e+".sql") {
			return e == engine
		}
	}
	return true
}

func newStep(m Migration, file string) (step, error) {
	text, err := fs.ReadFile(m.FS, file)
	if err != nil {
		return step{}, err
	}
	sum := sha256.Sum256(text)
	s := step{name: m.Name, file: path.Base(file), digest: hex.EncodeToString(sum[:]), text: string(text)}
	if !fileName.MatchString(s.file) {
		return step{}, errors.New("the name must be NNNN_x.sql, NNNN_x.sqlite.sql or NNNN_x.postgres.sql")
	}
	for line := range strings.Lines(s.text) {
		d, err := directive(m.Name, strings.TrimSpace(line))
		if err != nil {
			return step{}, err
		}
		if d != nil {
			s.declares = append(s.declares, *d)
		}
	}
	return s, nil
}

var (
	identifier = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	fileName   = regexp.MustCompile(`^[0-9]{4}_[a-z0-9_]+(\.sqlite|\.postgres)?\.sql$`)
	objectLine = regexp.MustCompile(`^-- object: table=([a-z][a-z0-9_]{0,50}) kind=([a-z][a-z0-9_.-]*) id=([a-z][a-z0-9_]*)$`)
	tableLine  = regexp.MustCompile(`^-- (frame|gone): table=([a-z][a-z0-9_]{0,50})$`)
	anyLine    = regexp.MustCompile(`^--\s*(object|frame|gone)\s*:`)
)

// directive reads one line; nil for a line that is none.
func directive(name, line string) (*declaration, error) {
	if m := objectLine.FindStringSubmatch(line); m != nil {
		return &declaration{table: m[1], kind: m[2], id: m[3]}, nil
	}
	if m := tableLine.FindStringSubmatch(line); m != nil {
		if m[1] == "frame" && !slices.Contains(framers, name) {
			return nil, fmt.Errorf("%q: only %s may have tables without an object", line, strings.Join(framers, ", "))
		}
		return &declaration{table: m[2], frame: m[1] == "frame", gone: m[1] == "gone"}, nil
	}
	if anyLine.MatchString(line) {
		return nil, fmt.Errorf("%q: accepted are `-- object: table=T kind=K id=COLUMN`, `-- frame: table=T` and `-- gone: table=T`", line)
	}
	return nil, nil
}
