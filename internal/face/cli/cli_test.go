package cli_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/face/cli"
	"hostward/internal/face/rest/resttest"
)

// TestMain makes the command line a program of its own in the scripts, without
// a second process.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"hostward": func() {
		os.Exit(cli.Run(context.Background(), config(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}})
}

// config is the toy's command line, with what a house would add.
func config() cli.Config {
	reg, err := act.NewRegistry(resttest.Feature())
	if err != nil {
		panic(err)
	}
	return cli.Config{Registry: reg, Version: "1.2.3",
		Commands: map[string]*cobra.Command{
			"serve":      {Use: "serve", Short: "run the server", RunE: func(c *cobra.Command, _ []string) error { c.Println("serving"); return nil }},
			"admin init": {Use: "init", Short: "set up", Args: cobra.ExactArgs(1), RunE: func(*cobra.Command, []string) error { return core.Errorf(core.Denied, "not you") }},
			"note fail":  {Use: "fail", Short: "replaced", RunE: func(c *cobra.Command, _ []string) error { c.Println("replaced"); return nil }},
		},
		Judge: func(op string, answer []byte) error {
			if op == "note.text" && strings.Contains(string(answer), "unsound") {
				return core.Errorf(core.Internal, "the note is not sound")
			}
			return nil
		},
	}
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script", Setup: setup, Cmds: map[string]func(*testscript.TestScript, bool, []string){
		"exits": exits, "logged": logged, "large": large,
	}})
}

// rigKey finds what a script runs against.
type rigKey struct{}

type running struct {
	*resttest.Rig
	t testing.TB
}

// setup serves the toy on a socket in the data folder and on a TCP port.
func setup(env *testscript.Env) error {
	t := env.T().(testing.TB)
	rig := resttest.New(t)
	env.Values[rigKey{}] = running{rig, t}
	c := rig.Config()
	c.Door = "cli"
	c.Authenticate = func(*http.Request) (act.Actor, error) {
		return act.Actor{Kind: "os", ID: "uid:0", Name: "root", Role: act.Primary, Tenant: core.Provider}, nil
	}
	data := filepath.Join(env.WorkDir, "data")
	if err := os.MkdirAll(filepath.Join(data, "run"), 0o700); err != nil {
		return err
	}
	local, err := net.Listen("unix", filepath.Join(data, "run", "hostward.sock"))
	if err != nil {
		return err
	}
	remote, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	for l, h := range map[net.Listener]http.Handler{local: rig.Handler(t, c), remote: rig.Handler(t, rig.Config())} {
		s := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
		go func() { _ = s.Serve(l) }()
		env.Defer(func() { _ = s.Close() })
	}
	env.Setenv("HOSTWARD_DATA", data)
	env.Setenv("REMOTE", "http://"+remote.Addr().String())
	env.Setenv("XDG_CONFIG_HOME", env.WorkDir)
	return nil
}

// logged TEXT...: the newest record holds each text.
func logged(ts *testscript.TestScript, neg bool, args []string) {
	r := ts.Value(rigKey{}).(running)
	leaf := r.Last(r.t)
	for _, want := range args {
		if strings.Contains(leaf, want) == neg {
			ts.Fatalf("the newest record: %q is %v in it, want %v: %s", want, !neg, neg, leaf)
		}
	}
}

// exits CODE COMMAND...: the command ends with that exit code.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		e, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = e.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// large FILE SIZE: makes a file of that many bytes.
func large(ts *testscript.TestScript, _ bool, args []string) {
	size, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), bytes.Repeat([]byte("x"), size), 0o600))
}
