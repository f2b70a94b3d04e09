package main

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"hostward/internal/face/cli"
	"hostward/internal/file"
	"hostward/internal/nameserver"
	"hostward/internal/socket"
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
	l, err := socket.Listen(ctx, o.socket, "nameserver", o.groups()...)
	if err != nil {
		return errors.Join(err, s.Shutdown(ctx))
	}
	return o.serve(ctx, log, s, l)
}

func (o *answering) serve(ctx context.Context, log *slog.Logger, s *nameserver.Server, l net.Listener) error {
	feeding, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 2)
	go func() { ended <- socket.Serve(feeding, l, s.Handler(), o.groups()...) }()
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
	return errors.Join(err, s.Shutdown(soon))
}

func (o *answering) groups() []string {
	if o.group == "" {
		return nil
	}
	return []string{o.group}
}
