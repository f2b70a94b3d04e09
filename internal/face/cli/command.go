package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"hostward/internal/act"
)

// Run runs one command line and returns its exit code (SPEC 0).
func Run(ctx context.Context, c Config, args []string, in io.Reader, out, errs io.Writer) int {
	s := &session{Config: c, in: in, out: out, err: errs}
	root := s.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil {
		tell(errs, err)
	}
	return exitCode(err)
}

// New returns the root command with everything below it, for what reads
// commands instead of running them: manual pages, tests.
func New(c Config) *cobra.Command {
	return (&session{Config: c, in: strings.NewReader(""), out: io.Discard, err: io.Discard}).root()
}

func (s *session) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "hostward",
		Short:         "hosting whose security can be proved",
		Version:       s.Version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return Usage("%v; see \"%s --help\"", err, c.CommandPath())
	})
	s.globals(root)
	for _, op := range s.Registry.Ops() {
		if op.Roles&^act.System == 0 {
			continue // for the house itself
		}
		words := strings.Split(op.Name, ".")
		s.group(root, words[:len(words)-1]).AddCommand(s.operation(op))
	}
	for _, words := range slices.Sorted(maps.Keys(s.Commands)) {
		s.replace(root, strings.Fields(words), s.Commands[words])
	}
	guard(root)
	help(root)
	return root
}

func (s *session) globals(root *cobra.Command) {
	f := root.PersistentFlags()
	f.StringVarP(&s.output, "output", "o", "table", "how to print: table, json (exactly the REST body) or yaml")
	f.StringVar(&s.data, "data", "", "data folder of the local server (HOSTWARD_DATA)")
	f.StringVar(&s.server, "server", s.env("HOSTWARD_SERVER"), "another machine's panel, https://host:8443 (HOSTWARD_SERVER; token in HOSTWARD_TOKEN)")
	f.StringVar(&s.ca, "ca", s.env("HOSTWARD_CA"), "file with the issuer of that panel's certificate (HOSTWARD_CA)")
	must(root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json", "yaml"}, cobra.ShellCompDirectiveNoFileComp)))
}

// must is for what only a mistake in this package can make fail.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// group finds or makes the commands of nouns.
func (s *session) group(parent *cobra.Command, nouns []string) *cobra.Command {
	for _, noun := range nouns {
		c := child(parent, noun)
		if c == nil {
			c = s.noun(parent, noun)
			parent.AddCommand(c)
		}
		parent = c
	}
	return parent
}

func (s *session) noun(parent *cobra.Command, noun string) *cobra.Command {
	short := "commands about " + noun
	if k, ok := s.Registry.Kind(noun); ok && k.Title != "" && !parent.HasParent() {
		short = "commands about " + strings.ToLower(k.Title[:1]) + k.Title[1:]
	}
	return &cobra.Command{Use: noun, Short: short}
}

func child(parent *cobra.Command, word string) *cobra.Command {
	for _, c := range parent.Commands() {
		if c.Name() == word {
			return c
		}
	}
	return nil
}

func (s *session) replace(root *cobra.Command, words []string, with *cobra.Command) {
	parent := s.group(root, words[:len(words)-1])
	if old := child(parent, words[len(words)-1]); old != nil {
		parent.RemoveCommand(old)
		for _, c := range old.Commands() { // a word that is also a noun
			old.RemoveCommand(c)
			with.AddCommand(c)
		}
	}
	parent.AddCommand(with)
}

// guard makes wrong words and wrong numbers of arguments a usage error
// everywhere, with suggestions.
func guard(c *cobra.Command) {
	c.SuggestionsMinimumDistance = 2
	if c.HasSubCommands() && !c.Runnable() {
		c.Args = cobra.ArbitraryArgs
		c.RunE = func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return c.Help()
			}
			return unknown(c, args[0])
		}
	} else if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return Usage("%v; see \"%s --help\"", err, c.CommandPath())
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		guard(sub)
	}
}

func unknown(c *cobra.Command, word string) error {
	text := fmt.Sprintf("%s has no command %q", c.CommandPath(), word)
	if near := c.SuggestionsFor(word); len(near) > 0 {
		return Usage("%s; did you mean %s?", text, strings.Join(near, " or "))
	}
	return Usage("%s; see \"%s --help\"", text, c.CommandPath())
}

// options are the flags of every generated command.
type options struct {
	dryRun, yes bool
	reason, key string
	match       uint64
}

// operation makes the command of one operation.
func (s *session) operation(op *act.Op) *cobra.Command {
	words := strings.Split(op.Name, ".")
	c := &cobra.Command{Use: words[len(words)-1], Short: strings.TrimSuffix(op.Doc, "."), Long: long(op), DisableFlagsInUseLine: true}
	p := newInput(op, c.Flags())
	c.Use += p.usage()
	c.Args = p.arguments
	o := &options{}
	c.Flags().StringVar(&o.reason, "reason", "", "why, in your words; goes on record")
	if acts(op) {
		c.Flags().BoolVar(&o.dryRun, "dry-run", false, "show what would change, change nothing")
		c.Flags().BoolVar(&o.yes, "yes", false, "do it without being asked")
		c.Flags().Uint64Var(&o.match, "if-match", 0, "version that you saw; another one is left alone")
		c.Flags().StringVar(&o.key, "idempotency-key", "", "a repeat with the same key has one effect")
	}
	c.RunE = func(c *cobra.Command, args []string) error { return s.call(c.Context(), op, p, *o, args) }
	s.complete(c, op, p)
	return c
}

func long(op *act.Op) string {
	lines := []string{sentence(op.Doc)}
	for _, p := range op.Input {
		if p.Type == "secret" {
			lines = append(lines, sentence(p.Doc)+" It is read from standard input, never from the command line.")
		}
	}
	if op.Confirm {
		lines = append(lines, "It cannot be taken back lightly: it asks first, or wants --yes.")
	}
	if op.Reveals {
		lines = append(lines, "It shows a secret this once.")
	}
	return strings.Join(lines, "\n")
}

func sentence(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + strings.TrimSuffix(s[1:], ".") + "."
}
