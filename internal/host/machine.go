package host

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"
)

// WriteFile makes Content the whole content of a file that is ours.
type WriteFile struct {
	Path    string      `json:"path"`
	Mode    fs.FileMode `json:"mode"`
	Content string      `json:"content"`
}

// RemoveFile removes a file that is ours; it may be gone already.
type RemoveFile struct {
	Path string `json:"path"`
}

// LoadTable replaces one nftables table in one transaction. Rules is the text of
// the table as nft reads it; empty: the table goes.
type LoadTable struct {
	Family string `json:"family"` // "inet"
	Name   string `json:"name"`
	Rules  string `json:"rules"`
}

// Run runs a command that the control declared, as it declared it.
type Run struct {
	Args []string `json:"args"`
}

func (s WriteFile) step()  {}
func (s RemoveFile) step() {}
func (s LoadTable) step()  {}
func (s Run) step()        {}

// String returns the step as one line of a plan.
func (s WriteFile) String() string {
	sum := sha256.Sum256([]byte(s.Content))
	return fmt.Sprintf("write %s: %d octets, mode %04o, SHA-256 %s", s.Path, len(s.Content), s.Mode, hex.EncodeToString(sum[:6]))
}

// String returns the step as one line of a plan.
func (s RemoveFile) String() string { return "remove " + s.Path }

// String returns the step as one line of a plan.
func (s LoadTable) String() string {
	if s.Rules == "" {
		return fmt.Sprintf("remove nftables table %s %s", s.Family, s.Name)
	}
	return fmt.Sprintf("load nftables table %s %s: %d lines", s.Family, s.Name, strings.Count(s.Rules, "\n"))
}

// String returns the step as one line of a plan.
func (s Run) String() string { return "run " + strings.Join(s.Args, " ") }

// Owns is all that the steps of one control may touch. Hands refuse the rest, so
// that a control which plans too much is stopped by something it did not write.
type Owns struct {
	Files    []string   // absolute paths
	Folders  []string   // absolute paths whose files are ours, not what lies deeper
	Tables   []string   // nftables tables as "inet hostward"
	Commands [][]string // argument lists, the program first by its absolute path
}

// Allows returns an error that says what the step would touch and may not.
func (o Owns) Allows(s Step) error {
	ok := false
	switch s := s.(type) {
	case WriteFile:
		ok = o.file(s.Path) && s.Mode.Perm() == s.Mode && s.Mode&0o022 == 0
	case RemoveFile:
		ok = o.file(s.Path)
	case LoadTable:
		ok = slices.Contains(o.Tables, s.Family+" "+s.Name)
	case Run:
		ok = slices.ContainsFunc(o.Commands, func(c []string) bool { return slices.Equal(c, s.Args) })
	}
	if !ok {
		return fmt.Errorf("the step %q touches what is not this control's", s)
	}
	return nil
}

func (o Owns) file(path string) bool {
	dir, name := path[:strings.LastIndexByte(path, '/')+1], path[strings.LastIndexByte(path, '/')+1:]
	return slices.Contains(o.Files, path) ||
		name != "" && name != "." && name != ".." && !strings.ContainsRune(path, 0) && slices.Contains(o.Folders, strings.TrimSuffix(dir, "/"))
}

// Hands change the machine. Only the agent's engine holds them.
type Hands interface {
	// Do carries out one step. Doing it twice is the same as doing it once.
	Do(ctx context.Context, s Step) error
	// Undo returns the step that brings back what is there now; nil for a command,
	// which has nothing to bring back. A step whose Undo is the step itself holds.
	Undo(ctx context.Context, s Step) (Step, error)
}

// Eyes look at the machine and change nothing.
type Eyes interface {
	// ReadFile returns a file, at most 16 MiB of it; false if there is none. It goes
	// through no symbolic link but root's own.
	ReadFile(path string) ([]byte, bool, error)
	// Glob returns the paths that match a pattern of package filepath, sorted.
	Glob(pattern string) ([]string, error)
	// Find returns the plain files of these names in a folder and below it, sorted,
	// and whether all of it was looked at: at most so many folders are. No link below
	// the folder is followed, and no other file system entered.
	Find(folder string, names []string, most int) (paths []string, whole bool, err error)
	// Output runs a command that only looks, and returns what it prints. An
	// *Exit tells that it ran and failed.
	Output(ctx context.Context, args ...string) ([]byte, error)
	// Table returns a table as nft prints it, without counters and handles; "" if
	// there is none. Rules, if not empty, are loaded into a table of an empty network
	// namespace instead, and printed from there: what the table should look like.
	Table(ctx context.Context, family, name, rules string) (string, error)
	// Now is the machine's clock.
	Now() time.Time
}

// Exit is a command that ran and failed.
type Exit struct {
	Args []string
	Code int
	Said string // what it wrote to its standard error, at most 4 KiB
}

func (e *Exit) Error() string {
	said := strings.TrimSpace(e.Said)
	if said == "" {
		return fmt.Sprintf("%s ended with status %d", strings.Join(e.Args, " "), e.Code)
	}
	return fmt.Sprintf("%s ended with status %d: %s", strings.Join(e.Args, " "), e.Code, said)
}
