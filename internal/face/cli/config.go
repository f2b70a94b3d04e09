package cli

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"os"

	"github.com/spf13/cobra"

	"hostward/internal/act"
)

// Config is what the command line is made of.
type Config struct {
	Registry *act.Registry
	Version  string
	// Commands are added to the generated ones, by all their words: "serve",
	// "admin init". One with the words of a generated command replaces it.
	Commands map[string]*cobra.Command
	// Offline answers the operations of Recovery when no server runs: it takes
	// the store's exclusive lock and returns a handler of the same routes, and
	// what ends it. Nil: they need a server like the others.
	Offline func(ctx context.Context, data string) (http.Handler, func() error, error)
	// Recovery names the operations that work without a server.
	Recovery []string
	// Judge looks at the answer of an operation after it was printed; its error
	// ends the program with exit code 1: a log that is not sound. Nil: none does.
	Judge func(op string, answer []byte) error
	// Getenv reads the environment; nil: os.Getenv.
	Getenv func(string) string
}

// session is one run of the program: its streams and global flags.
type session struct {
	Config
	in  io.Reader
	out io.Writer
	err io.Writer

	output string
	server string
	ca     string
	data   string
}

func (s *session) env(name string) string {
	if s.Getenv != nil {
		return s.Getenv(name)
	}
	return os.Getenv(name)
}

// DataDir is the data folder: the flag, HOSTWARD_DATA, or the default of SPEC 0.
func DataDir(flag string, getenv func(string) string) string {
	return cmp.Or(flag, getenv("HOSTWARD_DATA"), defaultData(getenv))
}
