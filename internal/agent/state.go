package agent

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"hostward/internal/file"
	"hostward/internal/host"
)

// kept is what the agent keeps of one control. Orders are kept as the octets that
// are on record.
type kept struct {
	Holds   []byte   `json:"holds,omitempty"`   // the last order that came into force to stay
	Leaf    string   `json:"leaf,omitempty"`    // the record of it
	Highest uint64   `json:"highest,omitempty"` // number that was ever accepted
	Undone  string   `json:"undone,omitempty"`  // why the last order was undone
	Pending *pending `json:"pending,omitempty"`
}

// The phases of an order under way.
const (
	doing   = "doing"
	waiting = "waiting"
	undoing = "undoing"
)

// pending is an order under way.
type pending struct {
	Order []byte `json:"order"`
	Leaf  string `json:"leaf"`
	Phase string `json:"phase"`
	Undo  []step `json:"undo,omitempty"` // in the order in which they are to be done
	Boot  string `json:"boot,omitempty"` // waiting: which boot
	Until int64  `json:"until,omitempty"`
	Why   string `json:"why,omitempty"` // undoing
}

// step is a host.Step as it is kept: exactly one is there.
type step struct {
	Write  *content         `json:"write,omitempty"`
	Remove *host.RemoveFile `json:"remove,omitempty"`
	Load   *host.LoadTable  `json:"load,omitempty"`
	Run    *host.Run        `json:"run,omitempty"`
}

// content is a host.WriteFile whose octets need be no text.
type content struct {
	Path    string      `json:"path"`
	Mode    fs.FileMode `json:"mode"`
	Content []byte      `json:"content"`
}

func keep(s host.Step) (step, error) {
	switch s := s.(type) {
	case host.WriteFile:
		return step{Write: &content{s.Path, s.Mode, []byte(s.Content)}}, nil
	case host.RemoveFile:
		return step{Remove: &s}, nil
	case host.LoadTable:
		return step{Load: &s}, nil
	case host.Run:
		return step{Run: &s}, nil
	}
	return step{}, fmt.Errorf("the agent has no hands for the step %q", s)
}

func (s step) unpack() (host.Step, error) {
	switch {
	case s.Write != nil:
		return host.WriteFile{Path: s.Write.Path, Mode: s.Write.Mode, Content: string(s.Write.Content)}, nil
	case s.Remove != nil:
		return *s.Remove, nil
	case s.Load != nil:
		return *s.Load, nil
	case s.Run != nil:
		return *s.Run, nil
	}
	return nil, errors.New("a kept step is empty")
}

func keptPath(dir, control string) string { return filepath.Join(dir, "controls", control+".json") }

// load reads what is kept of a control; the zero value if there is nothing.
func load(dir, control string) (k kept, err error) {
	data, err := os.ReadFile(keptPath(dir, control))
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil
	}
	if err != nil {
		return k, err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&k); err != nil {
		return k, fmt.Errorf("what the agent kept of %s cannot be read: %w", control, err)
	}
	return k, nil
}

// save makes it durable.
func (k kept) save(dir, control string) error {
	data, err := json.Marshal(k)
	if err != nil {
		return err
	}
	return file.Replace(keptPath(dir, control), data, 0o600)
}
