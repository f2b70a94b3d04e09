// Command hostward is the whole of Hostward: the server, the witness, and the
// command line, in one binary.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"hostward/internal/face/cli"
	"hostward/internal/house"
)

// version is set by the linker.
var version = "unknown"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string) int {
	registry, err := house.Registry()
	if err != nil {
		fmt.Fprintln(os.Stderr, "hostward:", err)
		return 1
	}
	return cli.Run(ctx, cli.Config{
		Registry: registry,
		Version:  version,
		Commands: map[string]*cobra.Command{
			"serve": serveCommand(), "nameserver": nameserverCommand(), "agent": agentCommand(), "watch": watchCommand(), "log recover": recoverCommand(),
			"witness serve": witnessServe(), "witness key": witnessKey(),
			"password blocklist import": importCommand(),
		},
		Offline:  offline,
		Recovery: []string{"log.verify", "log.list", "log.show", "log.prove", "log.status", "admin.init", "access.reset", "password.blocklist.adopt"},
		Judge:    judge,
	}, args, os.Stdin, os.Stdout, os.Stderr)
}

// judge ends "log verify" with exit code 1 when the log is not sound.
func judge(op string, answer []byte) error {
	if op != "log.verify" {
		return nil
	}
	var a struct{ Output struct{ Sound bool } }
	if err := json.Unmarshal(answer, &a); err != nil {
		return err
	}
	if !a.Output.Sound {
		return errors.New("the log or the state is not as it was sealed")
	}
	return nil
}

// offline answers the recovery words when no server runs: the same house, the
// same bus, the store's exclusive lock, and no faces but the local one.
func offline(ctx context.Context, data string) (http.Handler, func() error, error) {
	o := options{data: cli.DataDir(data, os.Getenv)}
	if _, err := os.Stat(o.data); err != nil {
		return nil, nil, cli.Usage("no server runs, and there is no data folder %s: name another with --data, or start a server, which makes it", o.data)
	}
	if err := o.recall(); err != nil {
		return nil, nil, err
	}
	c, err := o.house()
	if err != nil {
		return nil, nil, err
	}
	c.Offline = true
	h, err := house.Open(ctx, c)
	if err != nil {
		handler, end, cannot := house.Inspect(ctx, c, err)
		if cannot != nil {
			return nil, nil, err
		}
		return handler, end, nil
	}
	handler, err := h.Local(version, myself)
	if err != nil {
		return nil, nil, errors.Join(err, h.Close())
	}
	return handler, h.Close, nil
}
