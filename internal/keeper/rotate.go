package keeper

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"hostward/internal/core"
	"hostward/internal/file"
)

// nextSecret holds the new secret key while keys are wrapped under it. With the
// file there, a start knows both keys and ends the rotation that a crash cut off.
const nextSecret = "secret.key.next"

// Rotate implements Keeper. The new key is on the disk before anything is
// wrapped under it; each file is wrapped again by itself, old or new, never
// half; renaming the new key is the point of no return. A crash before it leaves
// both keys, and open goes on from there with the same code.
func (k *local) Rotate(ctx context.Context) (old, now string, err error) {
	leave, err := k.enterAlone(ctx)
	if err != nil {
		return "", "", err
	}
	defer leave()
	if k.server.old != nil { // one that failed on the way: keys are wrapped under both, so that one is finished
		old, now = k.server.old.id(), k.server.now.id()
		return old, now, k.finish()
	}
	if k.credential {
		return "", "", core.Errorf(core.Conflict, "the secret key is systemd's credential %s: give the new one under that name, the old one as %s, and start the server again", credential, oldCredential)
	}
	next := make([]byte, keySize)
	_, _ = rand.Read(next) // never fails: crypto/rand ends the program instead
	w, err := newWrapper(next)
	if err != nil {
		return "", "", err
	}
	if err := file.Replace(filepath.Join(k.dir, nextSecret), next, 0o600); err != nil {
		return "", "", fmt.Errorf("writing the new secret key: %w", err)
	}
	old = k.server.now.id()
	k.server.old, k.server.now = k.server.now, w
	return old, w.id(), k.finish()
}

// finish wraps what is still under the old key, and forgets that key.
func (k *local) finish() error {
	if err := k.rewrap(); err != nil {
		return fmt.Errorf("wrapping the keys under the new secret key; both are kept, and the next start tries again: %w", err)
	}
	next, path := filepath.Join(k.dir, nextSecret), filepath.Join(k.dir, "secret.key")
	if _, err := os.Stat(next); err == nil {
		if err := file.Move(next, path); err != nil {
			return err
		}
	}
	clear(k.server.old.secret)
	k.server.old = nil
	return nil
}

// wrapped is one file that holds a key under the secret key.
type wrapped struct {
	path, use string
	ad        []byte
}

// rewrap seals every wrapped key under the new secret.
func (k *local) rewrap() error {
	files, err := k.wrapped()
	for _, f := range files {
		if err == nil {
			err = k.server.rewrap(f)
		}
	}
	return err
}

func (k *local) wrapped() ([]wrapped, error) {
	files := []wrapped{{filepath.Join(k.dir, "checkpoint.key"), useCheckpoint, nil}}
	for folder, use := range map[string]string{k.periods.dir: usePeriod, k.data.dir: useData} {
		entries, err := os.ReadDir(folder)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			name, ours := strings.CutSuffix(e.Name(), keyEnding)
			if !ours {
				continue
			}
			if use == usePeriod {
				name = strings.ReplaceAll(name, "_", "/")
			}
			files = append(files, wrapped{filepath.Join(folder, e.Name()), use, []byte(name)})
		}
	}
	return files, nil
}

func (s *server) rewrap(f wrapped) error {
	sealed, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // not made yet
	}
	if err != nil {
		return err
	}
	plain, err := s.open(f.use, f.ad, sealed)
	if err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	defer clear(plain)
	if bytes.HasPrefix(sealed, s.now.head) {
		return nil // it was, before a crash
	}
	if sealed, err = s.seal(f.use, f.ad, plain); err != nil {
		return err
	}
	return file.Replace(f.path, sealed, 0o600)
}
