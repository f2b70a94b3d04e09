package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/face/cli"
	"hostward/internal/host"
	"hostward/internal/house"
	"hostward/internal/watch"
)

// options are the flags of serve; empty ones take the defaults of SPEC 0.
type options struct {
	data, config, database, origin        string
	listen, dns, nameserver, agent, watch string
	dot                                   overTLS
	private                               bool
}

func (o *options) fill(getenv func(string) string) {
	o.data = cli.DataDir(o.data, getenv)
	root := os.Geteuid() == 0 && o.data == cli.DataDir("", func(string) string { return "" })
	pick := func(v *string, asRoot, otherwise string) {
		if *v == "" {
			*v = otherwise
			if root {
				*v = asRoot
			}
		}
	}
	pick(&o.config, "/etc/hostward", filepath.Join(o.data, "etc"))
	pick(&o.listen, ":8443", "127.0.0.1:8443")
	pick(&o.dns, ":53", "127.0.0.1:5300")
}

// house turns the options into what a house is built from.
func (o *options) house() (house.Config, error) {
	o.fill(os.Getenv)
	witnesses, err := readWitnesses(filepath.Join(o.config, "witnesses"))
	return house.Config{Data: o.data, Config: o.config, Database: o.database, Origin: o.origin, Witnesses: witnesses, Private: o.private}, err
}

// readWitnesses reads one witness a line: URL, blank, verifier key. Lines that
// begin with # are comments. No file: no witness.
func readWitnesses(path string) ([]house.WitnessConfig, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var list []house.WitnessConfig
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		words := strings.Fields(line)
		if len(words) != 2 {
			return nil, fmt.Errorf("%s, line %d: a witness is a URL, a blank and its verifier key", path, n)
		}
		list = append(list, house.WitnessConfig{URL: words[0], Key: words[1]})
	}
	return list, lines.Err()
}

func serveCommand() *cobra.Command {
	var o options
	c := &cobra.Command{Use: "serve", Short: "Run the server: panel, REST, nameserver", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.data, _ = c.Flags().GetString("data")
			return serve(c.Context(), o)
		}}
	f := c.Flags()
	f.StringVar(&o.config, "config", "", "folder of panel.ini and the file witnesses (/etc/hostward, or etc in the data folder)")
	f.StringVar(&o.database, "database", "", "postgres://… instead of SQLite in the data folder; a second server on it stands by")
	f.StringVar(&o.listen, "listen", "", "address of the panel and REST (:8443; not root: 127.0.0.1:8443)")
	f.StringVar(&o.dns, "dns", "", "address of the nameserver (:53; not root: 127.0.0.1:5300), or off")
	o.dot.flags(f)
	f.StringVar(&o.nameserver, "nameserver", "", "socket of a nameserver that runs as its own process (hostward nameserver); --dns and --dot are not used then")
	f.StringVar(&o.agent, "agent", "", "socket of the process with root's hands (hostward agent); without it the server is looked at only")
	f.StringVar(&o.watch, "watch", "", "socket of hostward watch, our own ban engine")
	f.StringVar(&o.origin, "origin", "", "name of the log for the world, such as panel.example.org/log; fixed at the first start")
	f.BoolVar(&o.private, "allow-private", false, "let other servers (witnesses, nameservers) have private and local addresses")
	return c
}

func serve(ctx context.Context, o options) error {
	c, err := o.house()
	if err == nil {
		err = os.MkdirAll(o.data, 0o700)
	}
	if err == nil {
		err = o.remember()
	}
	if err != nil {
		return err
	}
	if o.nameserver != "" {
		c.Nameserver, o.dns = o.nameserver, "by "+o.nameserver
	} else if o.dns != "off" {
		if c.DNS, err = address(o.dns); err != nil {
			return fmt.Errorf("--dns: %w", err)
		}
	}
	c.Agent, c.Guard = o.agent, o.guard
	logs, err := openLogs(o.data)
	if err != nil {
		return err
	}
	defer logs.Close()
	c.Log, c.PanelLog = slog.New(slog.NewTextHandler(io.MultiWriter(os.Stderr, logs), nil)), logs
	s := &server{options: o, log: c.Log}
	if err := s.listenFirst(); err != nil {
		return err
	}
	defer s.close()
	c.Waiting = s.standBy
	if at, ok := s.panel.Addr().(*net.TCPAddr); ok {
		c.Panel = at.AddrPort().Port()
	}
	if c.Nameserver == "" {
		if c.DoT, c.Certificate, err = o.dot.open(o.data, c.Log); err != nil {
			return err
		}
	}
	h, err := house.Open(ctx, c)
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return nil // asked to stop while it stood by
	}
	if err != nil {
		return err
	}
	return errors.Join(s.run(ctx, h), h.Close())
}

// guard returns a ban engine: our own is a process of its own, Fail2Ban's socket is
// root's and behind the agent.
func (o *options) guard(engine string) host.Guard {
	switch {
	case engine == "watch" && o.watch != "":
		return watch.Dial(o.watch)
	case engine == "fail2ban" && o.agent != "":
		return watch.Dial(o.agent)
	}
	return nil
}

// address reads host:port; an empty host is every address.
func address(s string) (netip.AddrPort, error) {
	if strings.HasPrefix(s, ":") {
		s = "[::]" + s
	}
	return netip.ParseAddrPort(s)
}

// addresses reads the addresses of a flag.
func addresses(flag string, list []string) (out []netip.AddrPort, err error) {
	for _, text := range list {
		at, err := address(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", flag, err)
		}
		out = append(out, at)
	}
	return out, nil
}

// openLogs opens panel.log for appending: structured lines, and one fixed line
// for each failed log-in.
func openLogs(data string) (*os.File, error) {
	dir := filepath.Join(data, "log")
	// The service's group may read: the ban engine does.
	if err := errors.Join(os.MkdirAll(dir, 0o750), os.Chmod(dir, 0o750)); err != nil {
		return nil, err
	}
	return os.OpenFile(filepath.Join(dir, "panel.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
}

// server is the listening part of serve.
type server struct {
	options
	log    *slog.Logger
	panel  net.Listener
	socket net.Listener
	front  *switchable
	https  *http.Server
	local  *http.Server
}

// listenFirst takes the panel's address before the database: who stands by
// answers health checks, and a taken port is said at once.
func (s *server) listenFirst() error {
	pair, err := certificate(filepath.Join(s.data, "tls"), core.SystemClock(), s.log)
	if err != nil {
		return err
	}
	plain, err := net.Listen("tcp", s.listen)
	if err != nil {
		return fmt.Errorf("opening the panel's address: %w", err)
	}
	s.panel = tls.NewListener(plain, &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return pair.get() }, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}})
	s.front = newSwitchable(http.HandlerFunc(starting))
	s.https = &http.Server{Handler: s.front, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ConnContext: func(ctx context.Context, _ net.Conn) context.Context {
			return core.WithConnected(ctx, core.SystemClock())
		},
		ErrorLog: slog.NewLogLogger(newLimited(s.log.Handler(), 20), slog.LevelWarn)}
	go func() { _ = s.https.Serve(s.panel) }()
	return nil
}

func starting(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Retry-After", "5")
	if r.URL.Path == "/healthz" {
		fmt.Fprintln(w, "alive")
		return
	}
	w.WriteHeader(http.StatusServiceUnavailable)
	fmt.Fprintln(w, "this server is starting or stands by for another one; try again in a moment")
}

func (s *server) standBy(holder string) {
	s.log.Info("standing by: another server has the database", "holder", holder)
}

// run serves until ctx ends or the database is lost.
func (s *server) run(ctx context.Context, h *house.House) error {
	handler, err := h.Web(version)
	if err != nil {
		return err
	}
	if err := s.openSocket(h); err != nil {
		return err
	}
	s.front.to(handler)
	if err := s.greet(ctx, h); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		s.log.Info("stopping")
	case <-h.Lost():
		err = errors.New("the database's lease is lost, so nothing can be written any more: ending, another server may go on")
	}
	s.close()
	return err
}

// greet prints where the panel is and, until somebody is set up, the link.
func (s *server) greet(ctx context.Context, h *house.House) error {
	base := "https://" + s.display()
	link, err := h.Offer(ctx)
	if err != nil {
		return fmt.Errorf("making the set-up link: %w", err)
	}
	s.log.Info("serving", "panel", base, "dns", s.dns, "data", s.data)
	fmt.Printf("\nHostward is running.\n  panel  %s\n  dns    %s\n", base, s.dns)
	if link != "" {
		fmt.Printf("\nSet up the first administrator with this link. It works once, for 30 minutes:\n  %s%s\n", base, link)
	}
	fmt.Println()
	return nil
}

func (s *server) display() string {
	host, port, err := net.SplitHostPort(s.panel.Addr().String())
	if err != nil {
		return s.panel.Addr().String()
	}
	if a, err := netip.ParseAddr(host); err == nil && a.IsUnspecified() {
		if host, err = os.Hostname(); err != nil {
			host = "localhost"
		}
	}
	return net.JoinHostPort(host, port)
}

// openSocket serves the local command line (SPEC 0). The folder keeps others
// out, the socket's own rights admit the group, the kernel says who it is.
func (s *server) openSocket(h *house.House) error {
	dir := filepath.Join(s.data, "run")
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	path := filepath.Join(dir, "hostward.sock")
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	var err error
	if s.socket, err = net.Listen("unix", path); err != nil {
		return fmt.Errorf("opening the local socket: %w", err)
	}
	admit(s.data, dir, path)
	handler, err := h.Local(version, func(r *http.Request) (act.Actor, error) {
		a, ok := r.Context().Value(peerKey{}).(who)
		if !ok {
			return act.Actor{}, core.Errorf(core.Unauthenticated, "the caller of the local socket is unknown")
		}
		return a.Actor, a.err
	})
	if err != nil {
		return err
	}
	s.local = &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ConnContext: withPeer}
	go func() { _ = s.local.Serve(s.socket) }()
	return nil
}

// adminGroup may use the local socket, besides root and the server's own user.
const adminGroup = "hostward-admin"

// admit opens folder and socket to the group, where there is one.
func admit(data, dir, path string) {
	_ = os.Chmod(path, 0o600)
	g, err := user.LookupGroup(adminGroup)
	if err != nil {
		return
	}
	gid, err := strconv.Atoi(g.Gid)
	if err != nil || os.Chown(path, -1, gid) != nil || os.Chown(dir, -1, gid) != nil {
		return
	}
	_ = os.Chmod(path, 0o660)
	_ = os.Chmod(data, 0o711) // the way to the socket; everything else in it is closed
}

type peerKey struct{}

type who struct {
	act.Actor
	err error
}

func withPeer(ctx context.Context, c net.Conn) context.Context {
	if u, ok := c.(*net.UnixConn); ok {
		a, err := peer(u)
		return context.WithValue(ctx, peerKey{}, who{a, err})
	}
	return ctx
}

func (s *server) close() {
	soon, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if s.https != nil && s.https.Shutdown(soon) != nil {
		_ = s.https.Close()
	}
	if s.local != nil && s.local.Shutdown(soon) != nil {
		_ = s.local.Close()
	}
}
