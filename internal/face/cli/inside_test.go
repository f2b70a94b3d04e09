package cli_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/face/cli"
	"hostward/internal/face/rest/resttest"
)

// run runs one command line against an empty data folder.
func run(t *testing.T, c cli.Config, args ...string) (int, string, string) {
	t.Helper()
	var out, errs bytes.Buffer
	code := cli.Run(t.Context(), c, append([]string{"--data", t.TempDir()}, args...), strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

func TestRecoveryWordsWorkWithoutAServer(t *testing.T) {
	rig := resttest.New(t)
	opened, ended := "", 0
	rc := rig.Config()
	rc.Door = "cli"
	rc.Authenticate = func(*http.Request) (act.Actor, error) {
		return act.Actor{Kind: "os", ID: "uid:0", Role: act.Primary, Tenant: core.Provider}, nil
	}
	c := cli.Config{Registry: rig.Registry, Recovery: []string{"note.create", "note.tail"},
		Offline: func(_ context.Context, data string) (http.Handler, func() error, error) {
			opened = data
			return rig.Handler(t, rc), func() error { ended++; return nil }, nil
		}}
	if code, out, errs := run(t, c, "note", "create", "a"); code != 0 || !strings.Contains(out, "in force") || opened == "" || ended != 1 {
		t.Errorf("%d %q %q, opened %q, ended %d times", code, out, errs, opened, ended)
	}
	if code, out, errs := run(t, c, "note", "tail", "--count", "3"); code != 0 || strings.Count(out, "tick") != 3 {
		t.Errorf("%d %q %q", code, out, errs)
	}
	if code, _, errs := run(t, c, "note", "show", "a"); code != 1 || !strings.Contains(errs, "no server runs") {
		t.Errorf("an operation that is no recovery word: %d %q", code, errs)
	}
	c.Offline = func(context.Context, string) (http.Handler, func() error, error) {
		return nil, nil, errors.New("the store is locked by process 7")
	}
	if code, _, errs := run(t, c, "note", "create", "b"); code != 1 || !strings.Contains(errs, "process 7") {
		t.Errorf("%d %q", code, errs)
	}
}
