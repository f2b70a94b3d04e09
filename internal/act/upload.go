package act

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"hostward/internal/core"
	"hostward/internal/ledger"
)

// File is an input field that holds a file: its text itself, or the handle of
// an upload ("up_" and 26 characters) that was spooled before.
type File struct {
	text   string
	handle string
}

var handleForm = regexp.MustCompile(`^up_[0-9a-hjkmnp-tv-z]{26}$`)

// NewFile makes a File of text or of a handle.
func NewFile(s string) File {
	if handleForm.MatchString(s) {
		return File{handle: s}
	}
	return File{text: s}
}

func (f File) empty() bool { return f.text == "" && f.handle == "" }

// UnmarshalJSON takes text or a handle.
func (f *File) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	*f = NewFile(s)
	return nil
}

// MarshalJSON gives back what was given.
func (f File) MarshalJSON() ([]byte, error) { return json.Marshal(f.text + f.handle) }

// maxUpload bounds one upload: a zone of a million records has some 50 MB.
const maxUpload = 128 << 20

// uploadLife is how long an upload waits to be used.
const uploadLife = time.Hour

// Upload spools r outside any transaction and returns its handle. Only the
// actor who sent it can use it, within the hour.
func (b *Bus) Upload(ctx context.Context, actor Actor, r io.Reader) (string, error) {
	if actor.Role&outside != 0 {
		return "", core.Errorf(core.Unauthenticated, "log in before you send a file")
	}
	handle := core.NewID("up")
	path := filepath.Join(b.spool, handle)
	err := b.snapshot(ctx, actor, func(v *View) error { return b.placed(ctx, v, actor) })
	if err == nil {
		err = b.reserve(actor, path)
	}
	if err != nil {
		_, err = b.refused(ctx, Call{Op: "upload", Actor: actor}, nil, nil, err)
		return "", err
	}
	size, digest, err := spool(path, r)
	if err == nil && size > maxUpload {
		err = core.Errorf(core.Invalid, "the file is too large: at most %d MB are accepted", maxUpload>>20)
	}
	if err != nil {
		return "", errors.Join(err, os.Remove(path), os.Remove(path+".owner"))
	}
	return handle, b.note(ctx, &ledger.Entry{Action: "upload", Class: "panel", Tenant: actor.Tenant, Outcome: ledger.Done,
		Reason: fmt.Sprintf("%s: %d bytes, SHA-256 %s", handle, size, digest)}, actor)
}

// What one actor's unused uploads may take on the disk, and how many they are.
const (
	maxWaiting = 4 * maxUpload
	mostUnused = 64
)

// reserve takes a place for an upload before its first byte comes: of many at once
// each sees those before it.
func (b *Bus) reserve(actor Actor, path string) error {
	b.places.Lock()
	defer b.places.Unlock()
	if err := b.roomFor(actor); err != nil {
		return err
	}
	if err := os.WriteFile(path+".owner", []byte(actor.ID), 0o600); err != nil {
		return core.Wrap(core.Unavailable, err, "uploads cannot be taken now")
	}
	return nil
}

// roomFor refuses another upload of an actor who has too much waiting.
func (b *Bus) roomFor(actor Actor) error {
	entries, err := os.ReadDir(b.spool)
	if err != nil {
		return core.Wrap(core.Unavailable, err, "uploads cannot be taken now")
	}
	var waiting int64
	unused := 0
	for _, e := range entries {
		name, found := strings.CutSuffix(e.Name(), ".owner")
		if owner, err := os.ReadFile(filepath.Join(b.spool, e.Name())); !found || err != nil || string(owner) != actor.ID {
			continue
		}
		unused++
		if info, err := os.Stat(filepath.Join(b.spool, name)); err == nil {
			waiting += info.Size()
		}
	}
	if waiting+maxUpload > maxWaiting || unused >= mostUnused {
		return core.Errorf(core.Throttled, "%d of your uploads wait to be used, %d MB; use them, or wait until they are dropped after an hour", unused, waiting>>20)
	}
	return nil
}

func spool(path string, r io.Reader) (int64, string, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, "", err
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, sum), io.LimitReader(r, maxUpload+1))
	return n, hex.EncodeToString(sum.Sum(nil)), errors.Join(err, f.Close())
}

// Open returns the content of an input's file, for Prepare.
func (v *View) Open(f File) (io.ReadCloser, error) {
	if v.over || v.bus == nil {
		return nil, errOver
	}
	if f.handle == "" {
		return io.NopCloser(bytes.NewReader([]byte(f.text))), nil
	}
	path := filepath.Join(v.bus.spool, f.handle)
	owner, err := os.ReadFile(path + ".owner")
	if err != nil || string(owner) != v.actor.ID {
		return nil, core.Errorf(core.NotFound, "no upload %s is waiting; send the file again", f.handle)
	}
	return os.Open(path)
}

// sweepUploads removes uploads that nobody used.
func (b *Bus) sweepUploads(now time.Time) {
	entries, _ := os.ReadDir(b.spool)
	for _, e := range entries {
		if info, err := e.Info(); err == nil && now.Sub(info.ModTime()) > uploadLife {
			_ = os.Remove(filepath.Join(b.spool, e.Name()))
		}
	}
}
