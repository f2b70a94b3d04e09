package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hostward/internal/act"
)

// complete tells a shell what may come next: values of enumerations, and names
// of objects, asked from the server.
func (s *session) complete(c *cobra.Command, op *act.Op, in *input) {
	for _, f := range in.flags {
		if f.Enum != nil {
			must(c.RegisterFlagCompletionFunc(f.flag, cobra.FixedCompletions(f.Enum, cobra.ShellCompDirectiveNoFileComp)))
		}
	}
	c.ValidArgsFunction = func(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) >= len(in.places) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		p := in.places[len(args)]
		switch {
		case p.Type == "file":
			return nil, cobra.ShellCompDirectiveDefault
		case p.Enum != nil:
			return p.Enum, cobra.ShellCompDirectiveNoFileComp
		}
		return s.names(c.Context(), op, p, typed), cobra.ShellCompDirectiveNoFileComp
	}
}

// patience is how long a shell waits for names.
const patience = time.Second

// names asks the list of what the argument names: zone.list for ZONE, or for
// the ID of an operation on zones. Whatever goes wrong, there are no names.
func (s *session) names(ctx context.Context, op *act.Op, p act.Param, typed string) []string {
	noun, _, _ := strings.Cut(op.Name, ".")
	for _, name := range []string{p.Name + ".list", noun + ".list"} {
		list, ok := s.Registry.Op(name)
		if !ok || list.Method != "query" || strings.HasSuffix(op.Name, ".create") && p.Name != strings.TrimSuffix(name, ".list") {
			continue
		}
		ctx, stop := context.WithTimeout(ctx, patience)
		defer stop()
		c, err := s.connect(ctx, false)
		if err != nil {
			return nil
		}
		body, err := c.bytes(ctx, call(list, nil, options{}))
		if err != nil {
			return nil
		}
		answer, err := parse(body)
		if err != nil {
			return nil
		}
		return matching(answer.get("output"), typed)
	}
	return nil
}

// matching collects the names of listed objects: the first of name, login and
// id that they have.
func matching(t *tree, typed string) []string {
	if t.kind == 'o' {
		for _, item := range t.items {
			if item.rows() {
				return matching(item, typed)
			}
		}
	}
	var names []string
	for _, row := range t.items {
		for _, key := range []string{"name", "login", "id"} {
			if v := row.get(key); v.kind == 's' {
				if strings.HasPrefix(v.text, typed) {
					names = append(names, clean(v.text))
				}
				break
			}
		}
	}
	return names
}
