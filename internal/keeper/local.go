package keeper

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"hostward/internal/core"
	"hostward/internal/file"
)

// Config says where the keys are. Every field has a default but Dir.
type Config struct {
	// Dir is the folder of the keys; it is made with mode 0700. Only one keeper
	// may have it open: the data folder's lock sees to that.
	Dir string

	// Origin names the log for the world (C2SP tlog-checkpoint): a URL without
	// scheme, such as "example.org/hostward". Default: what was given at the
	// first start, or "hostward/" and 16 hex digits of the public key. It cannot change later.
	Origin string

	// Credentials is systemd's $CREDENTIALS_DIRECTORY. Default: none.
	Credentials string

	// Hashers is how many passwords are hashed at once, 19 MiB and a core each.
	// Default: as many as there are cores.
	Hashers int
}

// local is the keeper in this process.
type local struct {
	dir        string
	credential bool // the secret key came from systemd
	server     *server
	log        *signer
	periods    *periods
	data       *dataKeys
	tickets    []byte
	line       *line

	mu     sync.RWMutex
	closed bool
}

var _ Keeper = (*local)(nil)

// Open makes or opens the keys in cfg.Dir.
func Open(cfg Config) (Keeper, error) {
	k, err := open(cfg)
	if err != nil {
		return nil, fmt.Errorf("opening the keys: %w", err)
	}
	return k, nil
}

func open(cfg Config) (*local, error) {
	if cfg.Dir == "" {
		return nil, errors.New("the folder of the keys must be named")
	}
	if err := file.Folder(cfg.Dir); err != nil {
		return nil, err
	}
	secrets, err := loadSecrets(cfg.Dir, cfg.Credentials)
	if err != nil {
		return nil, err
	}
	server, err := newServer(secrets)
	if err != nil {
		return nil, err
	}
	k := &local{dir: cfg.Dir, credential: secrets.credential, server: server, tickets: make([]byte, keySize), line: newLine(cfg.Hashers)}
	_, _ = rand.Read(k.tickets) // never fails: crypto/rand ends the program instead
	if k.log, err = openSigner(cfg.Dir, cfg.Origin, server); err != nil {
		return nil, err
	}
	if k.periods, err = openPeriods(filepath.Join(cfg.Dir, "periods"), server); err != nil {
		return nil, err
	}
	if k.data, err = openData(filepath.Join(cfg.Dir, "data"), server); err != nil {
		return nil, err
	}
	if server.old != nil {
		return k, k.finish()
	}
	return k, nil
}

func newServer(s secrets) (*server, error) {
	now, err := newWrapper(s.now)
	if err != nil || s.old == nil {
		return &server{now: now}, err
	}
	old, err := newWrapper(s.old)
	return &server{now: now, old: old}, err
}

// errClosed answers every verb after Close.
var errClosed = core.Errorf(core.Unavailable, "the keeper is closed")

// enter begins a verb; the verb ends with the function it returns.
func (k *local) enter(ctx context.Context) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	k.mu.RLock()
	if k.closed {
		k.mu.RUnlock()
		return nil, errClosed
	}
	return k.mu.RUnlock, nil
}

// enterAlone begins a verb that waits for all others and keeps them out.
func (k *local) enterAlone(ctx context.Context) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	k.mu.Lock()
	if k.closed {
		k.mu.Unlock()
		return nil, errClosed
	}
	return k.mu.Unlock, nil
}

// Close implements Keeper. It waits for verbs under way.
func (k *local) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return nil
	}
	k.closed = true
	for _, secret := range [][]byte{k.server.now.secret, k.log.private, k.tickets} {
		clear(secret)
	}
	k.periods.forget()
	k.data.forget()
	return nil
}
