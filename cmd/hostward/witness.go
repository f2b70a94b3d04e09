package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"hostward/internal/face/cli"
	"hostward/internal/file"
	"hostward/internal/witness"
)

func witnessKey() *cobra.Command {
	var name, path string
	c := &cobra.Command{Use: "key", Short: "Make the key of a witness and print its verifier key", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if name == "" || path == "" {
				return cli.Usage("name the witness with --name witness.example.org/w1 and the file for its secret with --key")
			}
			if _, err := os.Stat(path); err == nil {
				return fmt.Errorf("%s exists: a witness keeps its key, or logs lose its memory", path)
			}
			secret, verifier, err := witness.GenerateKey(name)
			if err != nil {
				return err
			}
			if err := file.Replace(path, []byte(secret+"\n"), 0o600); err != nil {
				return err
			}
			fmt.Fprintln(c.OutOrStdout(), verifier)
			return nil
		}}
	c.Flags().StringVar(&name, "name", "", "name of the witness for the world: a URL without https://")
	c.Flags().StringVar(&path, "key", "", "file for the secret key; it must not exist")
	return c
}

func witnessServe() *cobra.Command {
	var listen, key, dir string
	var logs []string
	c := &cobra.Command{Use: "serve", Short: "Run a witness that cosigns other servers' logs (C2SP tlog-witness)", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if key == "" || dir == "" || len(logs) == 0 {
				return cli.Usage("a witness needs --key, --state and at least one --log")
			}
			secret, err := os.ReadFile(key)
			if err != nil {
				return fmt.Errorf("reading the witness's key: %w", err)
			}
			w, err := witness.New(witness.Config{Key: string(secret), Dir: dir, Logs: logs, Report: slog.New(slog.NewTextHandler(os.Stderr, nil))})
			if err != nil {
				return err
			}
			return serveUntil(c.Context(), listen, w)
		}}
	f := c.Flags()
	f.StringVar(&listen, "listen", "127.0.0.1:8470", "address to serve on, plain HTTP: put a TLS proxy before it on a network")
	f.StringVar(&key, "key", "", "file with the secret key, see \"hostward witness key\"")
	f.StringVar(&dir, "state", "", "folder that keeps what was cosigned: the witness's memory")
	f.StringArrayVar(&logs, "log", nil, "verifier key of a log to watch; may be given several times")
	return c
}

// serveUntil serves until ctx ends and lets what runs finish.
func serveUntil(ctx context.Context, listen string, h http.Handler) error {
	s := &http.Server{Addr: listen, Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, MaxHeaderBytes: 16 << 10}
	ended := make(chan error, 1)
	go func() { ended <- s.ListenAndServe() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	soon, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if err := s.Shutdown(soon); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
