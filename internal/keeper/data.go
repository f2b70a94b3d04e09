package keeper

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"hostward/internal/file"
)

// dataKeys are the keys that values in the database are sealed under: random,
// one for each purpose and generation, each in a file of its own, wrapped under
// the secret key. So a new secret key rewrites small files and no database, and
// a new generation leaves old values readable until they are sealed again.
type dataKeys struct {
	dir    string
	server *server

	mu    sync.Mutex
	boxes map[dataKey]*box
	last  map[Purpose]uint32 // newest generation; 0: none yet
}

type dataKey struct {
	purpose    Purpose
	generation uint32
}

const useData = "data"

func (d dataKey) name() string { return fmt.Sprintf("%s_%d", d.purpose, d.generation) }

// parseDataKey reads the name of a file without its ending.
func parseDataKey(name string) (d dataKey, ok bool) {
	purpose, number, _ := strings.Cut(name, "_")
	n, err := strconv.ParseUint(number, 10, 32)
	d = dataKey{Purpose(purpose), uint32(n)}
	return d, err == nil && n > 0 && d.purpose.known() && d.name() == name
}

func openData(dir string, server *server) (*dataKeys, error) {
	if err := file.Folder(dir); err != nil {
		return nil, err
	}
	d := &dataKeys{dir: dir, server: server, boxes: map[dataKey]*box{}, last: map[Purpose]uint32{}}
	keys, err := d.list()
	for _, k := range keys {
		d.last[k.purpose] = max(d.last[k.purpose], k.generation)
	}
	return d, err
}

// list returns every key that has a file.
func (d *dataKeys) list() ([]dataKey, error) {
	entries, err := os.ReadDir(d.dir)
	var keys []dataKey
	for _, e := range entries {
		name, ours := strings.CutSuffix(e.Name(), keyEnding)
		if k, ok := parseDataKey(name); ours && ok {
			keys = append(keys, k)
		}
	}
	return keys, err
}

func (d *dataKeys) path(k dataKey) string { return filepath.Join(d.dir, k.name()+keyEnding) }

// newest returns the key that seals for a purpose, and makes the first one.
func (d *dataKeys) newest(p Purpose) (*box, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last[p] == 0 {
		return d.next(p)
	}
	return d.get(dataKey{p, d.last[p]})
}

// next makes a new generation; it is durable before the first value is sealed
// under it. The caller holds the lock.
func (d *dataKeys) next(p Purpose) (*box, error) {
	k := dataKey{p, d.last[p] + 1}
	secret := make([]byte, keySize)
	_, _ = rand.Read(secret) // never fails: crypto/rand ends the program instead
	wrapped, err := d.server.seal(useData, []byte(k.name()), secret)
	if err == nil {
		err = file.Replace(d.path(k), wrapped, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("making the key %s: %w", k.name(), err)
	}
	d.last[p] = k.generation
	return d.keep(k, secret)
}

func (d *dataKeys) keep(k dataKey, secret []byte) (*box, error) {
	b, err := newBox(secret, "seal/"+string(k.purpose), k.head()...)
	clear(secret)
	if err == nil {
		d.boxes[k] = b
	}
	return b, err
}

// head begins every value that is sealed under the key.
func (k dataKey) head() []byte { return binary.BigEndian.AppendUint32([]byte{underData}, k.generation) }

// get returns a key that exists. The caller holds the lock.
func (d *dataKeys) get(k dataKey) (*box, error) {
	if b := d.boxes[k]; b != nil {
		return b, nil
	}
	wrapped, err := os.ReadFile(d.path(k))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the key %s is gone: what was sealed under it cannot be read", k.name())
	}
	if err != nil {
		return nil, err
	}
	secret, err := d.server.open(useData, []byte(k.name()), wrapped)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.path(k), err)
	}
	return d.keep(k, secret)
}

// generation reads which key a value was sealed under.
func generation(sealed []byte) (uint32, error) {
	if len(sealed) < 5 || sealed[0] != underData {
		return 0, errOpen
	}
	return binary.BigEndian.Uint32(sealed[1:]), nil
}

// open is for the verbs of a purpose; nothing hands out what it returns.
func (d *dataKeys) open(p Purpose, ad, sealed []byte) ([]byte, error) {
	n, err := generation(sealed)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	b, err := d.get(dataKey{p, n})
	d.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return b.open(ad, sealed)
}

func (d *dataKeys) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.boxes)
}

// Seal implements Keeper.
func (k *local) Seal(ctx context.Context, purpose Purpose, ad, plain []byte) ([]byte, error) {
	leave, err := k.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	return k.seal(purpose, ad, plain)
}

func (k *local) seal(purpose Purpose, ad, plain []byte) ([]byte, error) {
	if !purpose.known() {
		return nil, fmt.Errorf("sealing: there is no purpose %q", purpose)
	}
	b, err := k.data.newest(purpose)
	if err != nil {
		return nil, err
	}
	return b.seal(ad, plain), nil
}

// Reseal implements Keeper.
func (k *local) Reseal(ctx context.Context, purpose Purpose, ad, sealed []byte) ([]byte, error) {
	leave, err := k.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	plain, err := k.data.open(purpose, ad, sealed)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	return k.seal(purpose, ad, plain)
}

// Renew implements Keeper.
func (k *local) Renew(ctx context.Context, purpose Purpose) (uint32, error) {
	leave, err := k.enter(ctx)
	if err != nil {
		return 0, err
	}
	defer leave()
	if !purpose.known() {
		return 0, fmt.Errorf("there is no purpose %q", purpose)
	}
	k.data.mu.Lock()
	defer k.data.mu.Unlock()
	if k.data.last[purpose] == 0 {
		return 0, nil
	}
	_, err = k.data.next(purpose)
	return k.data.last[purpose], err
}

// Retire implements Keeper.
func (k *local) Retire(ctx context.Context, purpose Purpose, before uint32) error {
	leave, err := k.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	k.data.mu.Lock()
	defer k.data.mu.Unlock()
	keys, err := k.data.list()
	for _, d := range keys {
		if err == nil && d.purpose == purpose && d.generation < min(before, k.data.last[purpose]) {
			delete(k.data.boxes, d)
			err = file.Destroy(k.data.path(d))
		}
	}
	return err
}

// Status implements Keeper.
func (k *local) Status(ctx context.Context) (Status, error) {
	leave, err := k.enter(ctx)
	if err != nil {
		return Status{}, err
	}
	defer leave()
	s := Status{Secret: k.server.now.id(), Credential: k.credential}
	k.data.mu.Lock()
	defer k.data.mu.Unlock()
	keys, err := k.data.list()
	for _, d := range keys {
		made, statErr := k.data.made(d)
		err = errors.Join(err, statErr)
		s.Keys = append(s.Keys, DataKey{d.purpose, d.generation, made})
	}
	return s, err
}

// made is when a key's file was last written: made, or wrapped again.
func (d *dataKeys) made(k dataKey) (time.Time, error) {
	info, err := os.Stat(d.path(k))
	if err != nil {
		return time.Time{}, err
	}
	return info.ModTime().UTC(), nil
}
