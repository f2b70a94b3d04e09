package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hostward/internal/adapter/breach"
	"hostward/internal/face/cli"
	"hostward/internal/house"
)

// importCommand makes a filter of a list of breached passwords, and has the server
// adopt it. Making it is a matter of minutes and of this machine's disk, so it is
// done here and not in the server.
func importCommand() *cobra.Command {
	var least int64
	c := &cobra.Command{Use: "import FILE", Short: "Take in a list of breached passwords", Args: cobra.ExactArgs(1),
		Long: "Take in a list of breached passwords, so that none of them is accepted any more.\n" +
			"FILE has lines HASH:COUNT, as Have I Been Pwned offers them for download, with SHA-1 or NTLM hashes; - is\n" +
			"standard input. Nobody is asked over the network, now or later. It becomes a filter of some 2.25 bytes\n" +
			"a hash in the data folder; meanwhile 8 bytes a hash are needed there.",
		RunE: func(c *cobra.Command, args []string) error {
			data, _ := c.Flags().GetString("data")
			name, err := importList(c.Context(), c.ErrOrStderr(), cli.DataDir(data, os.Getenv), args[0], least)
			if err != nil {
				return err
			}
			if code := run(c.Context(), []string{"password", "blocklist", "adopt", name, "--data", cli.DataDir(data, os.Getenv)}); code != 0 {
				return errors.New("the filter was made and is not in force: hostward password blocklist adopt " + name)
			}
			return forget(cli.DataDir(data, os.Getenv), name)
		}}
	c.Flags().Int64Var(&least, "least", 0, "take only hashes that were seen at least so often; 0: all")
	return c
}

func importList(ctx context.Context, say io.Writer, data, path string, least int64) (name string, err error) {
	in, size, err := openList(path)
	if err != nil {
		return "", err
	}
	defer in.Close()
	dir := filepath.Join(data, house.BlocklistDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	draft := filepath.Join(dir, "draft.fuse")
	defer func() { _ = os.Remove(draft) }() // it is gone when all went well
	p := &progress{say: say}
	info, err := breach.Build(ctx, in, draft, breach.Options{Least: least, Size: size, Progress: p.tell})
	if err != nil {
		return "", err
	}
	fmt.Fprintf(say, "%d hashes (%s), %d bytes\n", info.Entries, info.Kind, info.Bytes)
	name = time.Now().UTC().Format("2006-01-02") + "-" + info.Digest[:8] + ".fuse"
	return name, os.Rename(draft, filepath.Join(dir, name))
}

// forget removes the filters that the new one takes the place of. A server that
// still reads one goes on with it.
func forget(data, but string) error {
	old, err := filepath.Glob(filepath.Join(data, house.BlocklistDir, "*.fuse"))
	for _, path := range old {
		if filepath.Base(path) != but {
			err = errors.Join(err, os.Remove(path))
		}
	}
	return err
}

// openList opens a list, and says how long it is, 0 for unknown.
func openList(path string) (*os.File, int64, error) {
	if path == "-" {
		return os.Stdin, 0, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, cli.Usage("%v", err)
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = cli.Usage("%s is a folder; name the list in it", path)
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

// progress says how far a build is, in tenths.
type progress struct {
	say  io.Writer
	told int64
}

func (p *progress) tell(done, total int64) {
	if total == 0 {
		return
	}
	if tenths := done * 10 / total; tenths > p.told {
		p.told = tenths
		fmt.Fprintf(p.say, "%s%s %d %%\n", strings.Repeat("■", int(tenths)), strings.Repeat("·", int(10-tenths)), tenths*10)
	}
}
