package handler

import (
	"context"
	"embed"
	"path"
	"strings"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/host"
)

// Control is the name of the control.
const Control = "handler"

const class = "panel"

func serves() []string { return []string{"2690:6.3", "2690:6.9"} }

// Ports are what the feature needs of others.
type Ports struct {
	// Look says how the control stands, as the agent saw it last; nil: nobody looks.
	Look func(ctx context.Context, control string) (host.Status, error)
}

// Handlers is the feature.
type Handlers struct{ ports Ports }

// New makes the feature.
func New(p Ports) *Handlers { return &Handlers{p} }

//go:embed sql
var migrations embed.FS

//go:embed page
var pages embed.FS

var self = core.Ref{Kind: "handler", ID: "server"} // there is one policy

func target[I any](context.Context, *act.View, *I) (core.Ref, error) { return self, nil }

// Feature declares it.
func (h *Handlers) Feature() act.Feature {
	return act.Feature{Name: "handler", SQL: migrations, Pages: h.pageList(),
		Ops:   []act.Declaration{h.set(), h.except(), h.include(), h.show(), h.impact(), h.lockIIS(), h.impactIIS()},
		Kinds: []act.Kind{{Name: "handler", Title: "Handler policy", Path: "/handlers", Owner: owner, Digest: digest, IDs: ids}}}
}

// mostExceptions is how many folders may be excepted: more is no policy.
const mostExceptions = 500

// check refuses exceptions that could not be written into Apache's configuration.
func check(folders []string) error {
	var faults core.Faults
	if len(folders) > mostExceptions {
		return core.Errorf(core.Invalid, "there are %d exceptions, at most %d are accepted", len(folders), mostExceptions)
	}
	for _, f := range folders {
		if !strings.HasPrefix(f, "/") || f == "/" || path.Clean(f) != f || len(f) > 1000 || strings.ContainsAny(f, "*?[]\"\\$<>{}") || strings.ContainsFunc(f, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			faults.Add("folder", f, "the absolute path of a folder such as /var/www/example, without wildcards, quotes or a slash at its end")
		}
	}
	return faults.Err()
}
