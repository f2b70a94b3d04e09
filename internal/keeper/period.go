package keeper

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"hostward/internal/file"
	"hostward/internal/ledger"
)

// periods holds the keys of periods. Each is random and lies in a file of its
// own, sealed under the secret key: with the file gone nothing can make it again.
type periods struct {
	dir    string
	server *server

	mu   sync.RWMutex
	keys map[string]*period
}

// period is the key of one period, ready for use.
type period struct {
	box   *box
	blind []byte
}

const (
	usePeriod = "period"
	keyEnding = ".key"
	goneName  = ".gone"
)

// openPeriods makes the folder, and ends what a crash left half destroyed.
func openPeriods(dir string, server *server) (*periods, error) {
	if err := file.Folder(dir); err != nil {
		return nil, err
	}
	p := &periods{dir: dir, server: server, keys: map[string]*period{}}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if name, gone := strings.CutSuffix(e.Name(), goneName); gone {
			if err := file.Destroy(filepath.Join(dir, name+keyEnding)); err != nil {
				return nil, err
			}
		}
	}
	return p, nil
}

// get returns the key of a period. The path of a record takes only the read lock.
func (p *periods) get(name string) (*period, error) {
	p.mu.RLock()
	key := p.keys[name]
	p.mu.RUnlock()
	if key != nil {
		return key, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.load(name)
}

// load reads the key of a period or makes it. The caller holds the lock.
func (p *periods) load(name string) (*period, error) {
	if key := p.keys[name]; key != nil {
		return key, nil
	}
	base, err := p.base(name)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(base + goneName); err == nil {
		return nil, ledger.ErrPeriodDropped
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	secret, err := p.secret(name, base+keyEnding)
	if err != nil {
		return nil, fmt.Errorf("the key of the period %s: %w", name, err)
	}
	key, err := newPeriod(secret)
	clear(secret)
	if err == nil {
		p.keys[name] = key
	}
	return key, err
}

func (p *periods) secret(name, path string) ([]byte, error) {
	sealed, err := os.ReadFile(path)
	if err == nil {
		return p.server.open(usePeriod, []byte(name), sealed)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	secret := make([]byte, keySize)
	_, _ = rand.Read(secret) // never fails: crypto/rand ends the program instead
	if sealed, err = p.server.seal(usePeriod, []byte(name), secret); err != nil {
		return nil, err
	}
	// Durable before the first value is sealed under it.
	return secret, file.Replace(path, sealed, 0o600)
}

func newPeriod(secret []byte) (*period, error) {
	blind, err := derive(secret, "blind")
	if err != nil {
		return nil, err
	}
	b, err := newBox(secret, "personal", underPeriod)
	return &period{box: b, blind: blind}, err
}

// drop destroys a period. The mark goes first: from then on the key is not
// used again, also where a crash leaves its file for the next start to remove.
func (p *periods) drop(name string) error {
	base, err := p.base(name)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.keys, name)
	if _, err := os.Stat(base + goneName); err == nil {
		return file.Destroy(base + keyEnding)
	}
	if err := file.Replace(base+goneName, nil, 0o600); err != nil {
		return err
	}
	return file.Destroy(base + keyEnding)
}

// forget drops all keys from memory.
func (p *periods) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.keys)
}

var periodName = regexp.MustCompile(`^[a-z0-9-]{1,40}(/[a-z0-9-]{1,40}){0,3}$`)

// base returns the path of a period's files without their ending.
func (p *periods) base(name string) (string, error) {
	if !periodName.MatchString(name) {
		return "", fmt.Errorf("%q is no period: kind, slash, month, such as address/2026-11", name)
	}
	return filepath.Join(p.dir, strings.ReplaceAll(name, "/", "_")), nil
}

// SealPersonal implements ledger.Keys.
func (k *local) SealPersonal(ctx context.Context, period string, ad, plain []byte) ([]byte, error) {
	leave, err := k.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	key, err := k.periods.get(period)
	if err != nil {
		return nil, err
	}
	return key.box.seal(ad, plain), nil
}

// OpenPersonal implements ledger.Keys.
func (k *local) OpenPersonal(ctx context.Context, period string, ad, sealed []byte) ([]byte, error) {
	leave, err := k.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	key, err := k.periods.get(period)
	if err != nil {
		return nil, err
	}
	return key.box.open(ad, sealed)
}

// Blind implements ledger.Keys. It is HMAC-SHA256 cut to 16 bytes (RFC 2104 5).
func (k *local) Blind(ctx context.Context, period, text string) ([]byte, error) {
	leave, err := k.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	key, err := k.periods.get(period)
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, key.blind)
	mac.Write([]byte(text))
	return mac.Sum(nil)[:16], nil
}

// DropPeriod implements ledger.Keys.
func (k *local) DropPeriod(ctx context.Context, period string) error {
	leave, err := k.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	return k.periods.drop(period)
}
