package keeper

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
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
	server  *server
	log     *signer
	periods *periods
	hashers chan struct{}

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
	secret, err := loadSecret(cfg.Dir, cfg.Credentials)
	if err != nil {
		return nil, err
	}
	server, err := newServer(secret)
	if err != nil {
		return nil, err
	}
	log, err := openSigner(cfg.Dir, cfg.Origin, server)
	if err != nil {
		return nil, err
	}
	periods, err := openPeriods(filepath.Join(cfg.Dir, "periods"), server)
	if err != nil {
		return nil, err
	}
	if cfg.Hashers <= 0 {
		cfg.Hashers = runtime.GOMAXPROCS(0)
	}
	return &local{server: server, log: log, periods: periods, hashers: make(chan struct{}, cfg.Hashers)}, nil
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

// Close implements Keeper. It waits for verbs under way.
func (k *local) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return nil
	}
	k.closed = true
	clear(k.server.secret)
	clear(k.log.private)
	k.periods.forget()
	return nil
}

// Seal implements Keeper.
func (k *local) Seal(ctx context.Context, purpose Purpose, ad, plain []byte) ([]byte, error) {
	leave, err := k.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	if !purpose.known() {
		return nil, fmt.Errorf("sealing: there is no purpose %q", purpose)
	}
	return k.server.seal("seal/"+string(purpose), ad, plain)
}
