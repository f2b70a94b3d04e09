package cli

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// help replaces the root's help by the whole list, grouped by noun: people
// look for what they want to do, not for a word to ask about.
func help(root *cobra.Command) {
	usual := root.HelpFunc()
	root.SetHelpFunc(func(c *cobra.Command, args []string) {
		if c != root {
			usual(c, args)
			return
		}
		overview(c.OutOrStdout(), root)
	})
}

func overview(out io.Writer, root *cobra.Command) {
	fmt.Fprintf(out, "%s: %s\n\nUsage: hostward OBJECT VERB [ARG] [--flag]\n", root.Name(), root.Short)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, c := range root.Commands() {
		if c.HasAvailableSubCommands() && c.Name() != "completion" {
			fmt.Fprintf(w, "\n%s\n", c.Name())
			list(w, c, c.Name())
		}
	}
	fmt.Fprint(w, "\nothers\n")
	for _, c := range root.Commands() {
		if !c.HasAvailableSubCommands() && c.IsAvailableCommand() || c.Name() == "completion" || c.Name() == "help" {
			fmt.Fprintf(w, "  %s\t%s\n", c.Name(), c.Short)
		}
	}
	_ = w.Flush()
	fmt.Fprintf(out, "\nFlags of every command:\n%s\n\"hostward OBJECT VERB --help\" says more about one.\n", root.PersistentFlags().FlagUsages())
}

func list(w io.Writer, c *cobra.Command, words string) {
	for _, sub := range c.Commands() {
		path := words + " " + sub.Name()
		if sub.HasAvailableSubCommands() {
			list(w, sub, path)
			continue
		}
		if sub.IsAvailableCommand() {
			fmt.Fprintf(w, "  %s%s\t%s\n", path, places(sub), sub.Short)
		}
	}
}

// places are the arguments in the command's usage line.
func places(c *cobra.Command) string {
	_, rest, _ := strings.Cut(strings.TrimSuffix(c.Use, " [flags]"), " ")
	if rest == "" {
		return ""
	}
	return " " + rest
}
