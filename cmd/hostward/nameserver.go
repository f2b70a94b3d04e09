package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"hostward/internal/core"
	"hostward/internal/face/cli"
	"hostward/internal/file"
	"hostward/internal/nameserver"
)

// answering are the flags of nameserver.
type answering struct {
	data, folder, socket, group string
	listen                      []string
	dot                         overTLS
}

func nameserverCommand() *cobra.Command {
	var o answering
	c := &cobra.Command{Use: "nameserver", Short: "Run the nameserver as a process of its own, fed by serve --nameserver", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			data, _ := c.Flags().GetString("data")
			o.data = cli.DataDir(data, os.Getenv)
			o.folder = cmp.Or(o.folder, filepath.Join(o.data, "dns"))
			o.socket = cmp.Or(o.socket, filepath.Join(o.data, "run", "nameserver.sock"))
			return o.run(c.Context())
		}}
	f := c.Flags()
	f.StringVar(&o.folder, "folder", "", "where it keeps what it serves (dns in the data folder)")
	f.StringVar(&o.socket, "socket", "", "Unix socket on which it is fed (run/nameserver.sock in the data folder)")
	f.StringVar(&o.group, "group", "", "group that may feed it, besides its own user and root")
	f.StringSliceVar(&o.listen, "dns", []string{":53"}, "addresses that it answers on")
	o.dot.flags(f)
	return c
}

// run answers from the folder at once, and is fed as soon as somebody comes.
func (o *answering) run(ctx context.Context) error {
	// What is served lives long and changes little: a tight heap costs little.
	debug.SetGCPercent(25)
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if err := os.MkdirAll(o.folder, 0o700); err != nil {
		return err
	}
	lock, err := file.Lock(filepath.Join(o.folder, "lock"))
	if err != nil {
		return err
	}
	defer lock.Close()
	c := nameserver.Config{Folder: o.folder, KeepSettings: true}
	if c.Listen, err = addresses("--dns", o.listen); err != nil {
		return err
	}
	if c.ListenTLS, c.Certificate, err = o.dot.open(o.data, log); err != nil {
		return err
	}
	s, err := nameserver.New(c)
	if err != nil {
		return err
	}
	debug.FreeOSMemory()
	for _, path := range s.Aside() {
		log.Warn("a file was broken and is set aside; what it held is fed again", "file", path)
	}
	l, err := listenAlone(ctx, o.socket)
	if err != nil {
		return errors.Join(fmt.Errorf("opening the socket: %w", err), s.Shutdown(ctx))
	}
	if err := lend(o.socket, o.group); err != nil {
		return errors.Join(err, l.Close(), s.Shutdown(ctx))
	}
	return o.serve(ctx, log, s, l)
}

func (o *answering) serve(ctx context.Context, log *slog.Logger, s *nameserver.Server, l net.Listener) error {
	feed := &http.Server{Handler: knownOnly(s.Handler()), ReadHeaderTimeout: 10 * time.Second, ConnContext: o.withFeeder}
	ended := make(chan error, 2)
	go func() { ended <- feed.Serve(l) }()
	go func() { ended <- s.Serve() }()
	log.Info("answering", "dns", s.Addrs(), "zones", s.Stats().Zones, "socket", o.socket)
	var err error
	select {
	case <-ctx.Done():
		log.Info("stopping")
	case err = <-ended:
	}
	soon, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return errors.Join(err, feed.Shutdown(soon), s.Shutdown(soon))
}

// listenAlone takes a Unix socket. One that nobody listens on any more is taken over.
func listenAlone(ctx context.Context, path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, err
	}
	if c, err := new(net.Dialer).DialContext(ctx, "unix", path); err == nil {
		_ = c.Close()
		return nil, core.Errorf(core.Conflict, "another nameserver listens on %s", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return new(net.ListenConfig).Listen(ctx, "unix", path)
}

// lend lets a group open the socket.
func lend(path, group string) error {
	if group == "" {
		return os.Chmod(path, 0o600)
	}
	g, err := user.LookupGroup(group)
	if err != nil {
		return fmt.Errorf("--group: %w", err)
	}
	gid, err := strconv.Atoi(g.Gid)
	if err != nil {
		return err
	}
	return errors.Join(os.Chown(path, -1, gid), os.Chown(filepath.Dir(path), -1, gid), os.Chmod(path, 0o660)) //nolint:gosec // the group is who may feed
}

type feederKey struct{}

// withFeeder notes who is at the other end of a connection.
func (o *answering) withFeeder(ctx context.Context, c net.Conn) context.Context {
	u, ok := c.(*net.UnixConn)
	return context.WithValue(ctx, feederKey{}, ok && feeder(u, o.group) == nil)
}

// knownOnly refuses who may not feed: the kernel says who is at the other end.
func knownOnly(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if known, _ := r.Context().Value(feederKey{}).(bool); !known {
			http.Error(w, "you may not feed this nameserver", http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, r)
	})
}
