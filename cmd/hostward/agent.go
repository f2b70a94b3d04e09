package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"hostward/internal/adapter/fail2ban"
	"hostward/internal/agent"
	"hostward/internal/face/cli"
	"hostward/internal/host/hands"
	"hostward/internal/house"
	"hostward/internal/socket"
	"hostward/internal/watch"
)

// acting are the flags of agent.
type acting struct {
	folder, socket, group, watch string
	fail2ban                     string
	every                        time.Duration
}

func agentCommand() *cobra.Command {
	var o acting
	c := &cobra.Command{Use: "agent", Short: "Run the process with root's hands, which carries out what is on record", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.fill(c)
			return o.run(c.Context())
		}}
	f := c.PersistentFlags()
	f.StringVar(&o.folder, "folder", "", "where it keeps what holds, its journal and the log's key (/var/lib/hostward-agent; not root: agent in the data folder)")
	f = c.Flags()
	f.StringVar(&o.socket, "socket", "", "Unix socket on which it is asked (/run/hostward-agent/agent.sock; not root: run/agent.sock in the data folder)")
	f.StringVar(&o.group, "group", "", "group of the panel, which may use the socket besides root and this user")
	f.StringVar(&o.watch, "watch-group", "", "group of hostward watch, which may ban and unban")
	f.StringVar(&o.fail2ban, "fail2ban", "/var/run/fail2ban/fail2ban.sock", "socket of Fail2Ban, where that is the ban engine")
	f.DurationVar(&o.every, "every", 30*time.Second, "how often it looks for drift")
	c.AddCommand(&cobra.Command{Use: "pin KEY", Short: "Believe orders that are proved by the log with this verifier key from now on, and no others", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			o.fill(c)
			if err := agent.Pin(o.folder, args[0]); err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "Pinned. The agent goes by it from the next order on.\n")
			return nil
		}})
	return c
}

func (o *acting) fill(c *cobra.Command) {
	data, _ := c.Flags().GetString("data")
	given := data != "" || os.Getenv("HOSTWARD_DATA") != ""
	data = cli.DataDir(data, os.Getenv)
	pick := func(v *string, asRoot, otherwise string) {
		if *v == "" && os.Geteuid() == 0 && !given {
			*v = asRoot
		} else if *v == "" {
			*v = filepath.Join(data, otherwise)
		}
	}
	pick(&o.folder, "/var/lib/hostward-agent", "agent")
	pick(&o.socket, "/run/hostward-agent/agent.sock", "run/agent.sock")
}

func (o *acting) run(ctx context.Context) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	a, err := agent.Open(agent.Config{Dir: o.folder, Machines: house.Machines(), Eyes: hands.Machine{}, Hands: hands.Machine{}, Every: o.every, Log: log})
	if err != nil {
		return err
	}
	handler, err := o.handler(a)
	if err != nil {
		return errors.Join(err, a.Close())
	}
	groups := o.groups()
	l, err := socket.Listen(ctx, o.socket, "agent", groups...)
	if err != nil {
		return errors.Join(err, a.Close())
	}
	if os.Geteuid() != 0 {
		log.Warn("without root's rights most controls cannot be looked at, and none can be brought into force")
	}
	log.Info("waiting for orders", "socket", o.socket, "folder", o.folder)
	working, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { a.Run(working); close(ended) }()
	err = socket.Serve(ctx, l, handler, groups...)
	stop()
	<-ended
	return errors.Join(err, a.Close())
}

// groups are those who may use the socket besides root and this user.
func (o *acting) groups() []string {
	var list []string
	for _, g := range []string{o.group, o.watch} {
		if g != "" {
			list = append(list, g)
		}
	}
	return list
}

// handler serves the panel with orders and with Fail2Ban, and hostward watch with the
// kernel's bans, and neither with what is the other's.
func (o *acting) handler(a *agent.Agent) (http.Handler, error) {
	engine, err := fail2ban.Open(fail2ban.Config{Socket: o.fail2ban, Dir: filepath.Join(o.folder, "fail2ban")})
	if err != nil {
		return nil, err
	}
	panel, kernel, all := http.NewServeMux(), http.NewServeMux(), http.NewServeMux()
	panel.Handle("/", agent.Handler(a))
	watch.ServeGuard(panel, engine)
	watch.ServeKernel(kernel, hands.NewBans())
	all.Handle("/v1/bans/", socket.Only(kernel, o.watch))
	all.Handle("/", socket.Only(panel, o.group))
	return all, nil
}
