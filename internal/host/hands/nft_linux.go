package hands

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"hostward/internal/host"
)

const (
	nft     = "/usr/sbin/nft"
	unshare = "/usr/bin/unshare"
)

// loadTable replaces one table in one transaction; without rules it goes.
func loadTable(ctx context.Context, s host.LoadTable) error {
	// A table that is not there cannot be deleted: it is made first.
	text := fmt.Sprintf("table %s %s\ndelete table %s %s\n%s", s.Family, s.Name, s.Family, s.Name, s.Rules)
	_, err := run(ctx, mostRunning, text, nft, "-f", "-")
	return err
}

// table lists a table; with rules, what it looks like when these are loaded.
func table(ctx context.Context, family, name, rules string) (string, error) {
	args := []string{nft, "-s", "list", "table", family, name}
	if rules != "" {
		script := nft + " -f - && " + strings.Join(args, " ")
		out, err := run(ctx, mostLooking, rules, unshare, "-n", "/bin/sh", "-c", script)
		return string(out), err
	}
	out, err := run(ctx, mostLooking, "", args...)
	var exit *host.Exit
	if errors.As(err, &exit) && strings.Contains(exit.Said, "No such file or directory") {
		return "", nil
	}
	return string(out), err
}
