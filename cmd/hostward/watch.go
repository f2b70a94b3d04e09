package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"

	"github.com/spf13/cobra"

	"hostward/internal/face/cli"
	"hostward/internal/host"
	"hostward/internal/host/hands"
	"hostward/internal/socket"
	"hostward/internal/watch"
)

// watching are the flags of watch.
type watching struct {
	folder, config, filters, agent, socket, group string
}

func watchCommand() *cobra.Command {
	var o watching
	c := &cobra.Command{Use: "watch", Short: "Follow logs and keep out who fails too often, as a process of its own", Args: cobra.NoArgs,
		Long: "Follow logs and keep out who fails too often, as a process of its own.\n" +
			"Jails and filters are written in fail2ban's language; without a word in --config those for ssh and the panel are on.\n" +
			"Bans are asked for at the agent; as root and without --agent this process keeps them itself.",
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c.Context()) }}
	f := c.Flags()
	f.StringVar(&o.folder, "folder", "/var/lib/hostward-watch", "where it keeps what it knows")
	f.StringVar(&o.config, "config", "/etc/hostward-watch", "folder of jails and filters, laid out like /etc/fail2ban")
	f.StringVar(&o.filters, "filters", "/etc/fail2ban", "folder of filters for those that --config has not; empty: none")
	f.StringVar(&o.agent, "agent", "", "Unix socket of the agent, which is asked for bans")
	f.StringVar(&o.socket, "socket", "/run/hostward-watch/watch.sock", "Unix socket for the panel")
	f.StringVar(&o.group, "group", "", "group that may use the socket, besides its own user and root")
	return c
}

func (o *watching) run(ctx context.Context) error {
	// What is counted lives long and changes little: a tight heap costs little.
	debug.SetGCPercent(40)
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	kernel, err := o.kernel()
	if err != nil {
		return err
	}
	c := watch.Config{Folder: o.folder, Kernel: kernel, Jails: watch.NewReader(o.config, o.filters).Jails, Log: log}
	if journalctl, err := exec.LookPath("journalctl"); err == nil {
		c.Journalctl = []string{journalctl}
	}
	var groups []string
	if o.group != "" {
		groups = []string{o.group}
	}
	e, err := watch.Open(c)
	if err != nil {
		return err
	}
	l, err := socket.Listen(ctx, o.socket, "ban engine", groups...)
	if err != nil {
		return errors.Join(err, e.Close())
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() {
		ended <- socket.Serve(ctx, l, e.Handler(), groups...)
		stop()
	}()
	log.Info("watching", "config", o.config, "filters", o.filters, "socket", o.socket, "folder", filepath.Clean(o.folder))
	err = e.Run(ctx)
	stop()
	return errors.Join(err, <-ended)
}

func (o *watching) kernel() (host.Kernel, error) {
	if o.agent != "" {
		return watch.DialKernel(o.agent), nil
	}
	if os.Getuid() != 0 {
		return nil, cli.Usage("only root can ban: name the agent's socket with --agent")
	}
	return hands.NewBans(), nil
}
