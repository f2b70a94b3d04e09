package socket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"hostward/internal/core"
)

// Listen takes a Unix socket and lets these groups use it, besides root and its own
// user; the first one gets its folder too. One that nobody listens on any more is
// taken over. Who calls it, in errors: "nameserver".
func Listen(ctx context.Context, path, who string, groups ...string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, err
	}
	if c, err := new(net.Dialer).DialContext(ctx, "unix", path); err == nil {
		_ = c.Close()
		return nil, core.Errorf(core.Conflict, "another %s listens on %s", who, path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("opening the socket of the %s: %w", who, err)
	}
	if err := lend(path, groups); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// lend lets groups open the socket: one by its rights; several by everybody's, and
// then the folder and the check of each connection keep others out.
func lend(path string, groups []string) error {
	switch len(groups) {
	case 0:
		return os.Chmod(path, 0o600)
	case 1:
		gid, err := groupID(groups[0])
		if err != nil {
			return err
		}
		return errors.Join(os.Chown(path, -1, gid), os.Chown(filepath.Dir(path), -1, gid), os.Chmod(path, 0o660)) //nolint:gosec // the group is who may use it
	}
	for _, g := range groups {
		if _, err := groupID(g); err != nil {
			return err
		}
	}
	return errors.Join(os.Chmod(filepath.Dir(path), 0o711), os.Chmod(path, 0o666)) //nolint:gosec // each connection is checked
}

func groupID(name string) (int, error) {
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, fmt.Errorf("the group that may use the socket: %w", err)
	}
	return strconv.Atoi(g.Gid)
}

// Peer is who is at the other end of a connection, as the kernel says.
type Peer struct {
	UID, GID uint32
	PID      int32
}

// among reports whether the peer is root, this user, or has one of the groups as
// his own first group; and which one.
func (p Peer) among(groups []string) (string, bool) {
	for _, name := range groups {
		if gid, err := groupID(name); err == nil && uint32(gid) == p.GID { //nolint:gosec // a group's number
			return name, true
		}
	}
	return "", p.UID == 0 || p.UID == uint32(os.Getuid()) //nolint:gosec // a user's number
}

type groupKey struct{}

// As returns the group by which a caller was let in; "" for root and the
// server's own user.
func As(ctx context.Context) string {
	name, _ := ctx.Value(groupKey{}).(string)
	return name
}

type refusedKey struct{}

// Limits of connections. Where several groups may use a socket, everybody can open it.
const (
	mostIdle = 2 * time.Minute // the client of this package lets go after one
	mostOpen = 256             // of one user
)

// fair closes what one user opens past a limit, so that nobody takes all that the
// process may have open. Root is not counted.
type fair struct {
	net.Listener
	who  func(*net.UnixConn) (Peer, error)
	mu   sync.Mutex
	open map[uint32]int
}

// Accept implements net.Listener.
func (f *fair) Accept() (net.Conn, error) {
	for {
		c, err := f.Listener.Accept()
		u, ok := c.(*net.UnixConn)
		if err != nil || !ok {
			return c, err
		}
		p, err := f.who(u)
		if err != nil || p.UID == 0 { // who is unknown is refused below
			return c, nil
		}
		if f.count(p.UID, 1) {
			return &counted{UnixConn: u, free: sync.OnceFunc(func() { f.count(p.UID, -1) })}, nil
		}
		_ = c.Close()
	}
}

// count reports whether a user may have one more.
func (f *fair) count(uid uint32, n int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open[uid]+n > mostOpen {
		return false
	}
	if f.open[uid] += n; f.open[uid] == 0 {
		delete(f.open, uid)
	}
	return true
}

type counted struct {
	*net.UnixConn
	free func()
}

// Close implements net.Conn.
func (c *counted) Close() error {
	c.free()
	return c.UnixConn.Close()
}

// Serve serves verbs to root, this user and these groups until ctx ends.
func Serve(ctx context.Context, l net.Listener, h http.Handler, groups ...string) error {
	s := &http.Server{Handler: knownOnly(h), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: mostIdle, ConnContext: func(ctx context.Context, c net.Conn) context.Context {
		if k, ok := c.(*counted); ok {
			c = k.UnixConn
		}
		u, ok := c.(*net.UnixConn)
		if !ok {
			return context.WithValue(ctx, refusedKey{}, true)
		}
		p, err := Credentials(u)
		name, known := p.among(groups)
		if err != nil || !known {
			return context.WithValue(ctx, refusedKey{}, true)
		}
		return context.WithValue(ctx, groupKey{}, name)
	}}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(&fair{Listener: l, who: Credentials, open: map[uint32]int{}}) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	soon, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if s.Shutdown(soon) != nil {
		_ = s.Close()
	}
	return nil
}

func knownOnly(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if no, _ := r.Context().Value(refusedKey{}).(bool); no {
			w.Header().Set("Connection", "close")
			say(w, nil, core.Errorf(core.Denied, "this user may not use this socket"))
			return
		}
		h.ServeHTTP(w, r)
	})
}

// Only refuses callers who came by another group than these; root and the server's
// own user may always.
func Only(h http.Handler, groups ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if as := As(r.Context()); as != "" && !slices.Contains(groups, as) {
			say(w, nil, core.Errorf(core.Denied, "the group %s may not use this verb", as))
			return
		}
		h.ServeHTTP(w, r)
	})
}
