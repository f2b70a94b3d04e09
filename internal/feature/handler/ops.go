package handler

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/handlers/apache"
)

// SetIn is the two switches, in words.
type SetIn struct {
	Handlers  string `json:"handlers" cli:"arg" rule:"required,enum=allowed|forbidden" doc:"whether a site may choose handlers by .htaccess; allowed: as Apache's own configuration lets it"`
	Rewriting string `json:"rewriting" rule:"enum=allowed|forbidden" doc:"whether RewriteRule stays, which most sites need, and whose flags H, T and P can name a handler; left out: allowed"`
}

const forbidden = "forbidden"

func switches(d Desired) SetIn {
	word := func(allowed bool) string {
		if allowed {
			return "allowed"
		}
		return forbidden
	}
	return SetIn{word(!d.Apache), word(d.Rewrite)}
}

// Nothing is an input or output without fields.
type Nothing struct{}

func (h *Handlers) set() act.Declaration {
	return act.Change[SetIn, Nothing]{
		Name: "handler.set", Doc: "Say whether sites may choose handlers; nothing changes until the control is applied.", Class: class,
		Roles: act.Admins, Must: []string{"handler.set"}, Serves: serves(), Sample: SetIn{Handlers: forbidden, Rewriting: "allowed"}, Target: target[SetIn],
		Run: func(ctx context.Context, tx *act.Tx, in SetIn) (Nothing, error) {
			was, err := desired(ctx, &tx.View)
			if err != nil {
				return Nothing{}, err
			}
			now := Desired{Apache: in.Handlers == forbidden, Rewrite: in.Rewriting != forbidden}
			fields := act.Diff(switches(was), switches(now))
			if fields == nil {
				return Nothing{}, nil
			}
			if err := write(ctx, tx, now); err != nil {
				return Nothing{}, err
			}
			return Nothing{}, tx.Record(ctx, "handler.set", self, fields...)
		},
	}
}

// FolderIn names a folder.
type FolderIn struct {
	Folder string `json:"folder" cli:"arg" rule:"required,max=1000" doc:"absolute path of a folder such as /var/www/example; all below it is meant too"`
}

func (h *Handlers) except() act.Declaration {
	return act.Change[FolderIn, Nothing]{
		Name: "handler.exception.add", Doc: "Let the sites in a folder keep choosing handlers.", Class: class,
		Roles: act.Admins, Must: []string{"handler.exception.added"}, Serves: serves(), Sample: FolderIn{"/var/www/old-shop"}, Target: target[FolderIn],
		Run: func(ctx context.Context, tx *act.Tx, in FolderIn) (Nothing, error) {
			d, err := desired(ctx, &tx.View)
			if err != nil {
				return Nothing{}, err
			}
			if slices.Contains(d.Exceptions, in.Folder) {
				return Nothing{}, nil
			}
			if err := check(append(d.Exceptions, in.Folder)); err != nil {
				return Nothing{}, err
			}
			if _, err := tx.Exec(ctx, `INSERT INTO handler_exception (policy_id, folder) VALUES ('server', $1)`, in.Folder); err != nil {
				return Nothing{}, err
			}
			return Nothing{}, tx.Record(ctx, "handler.exception.added", self, act.Field{Name: "folder", New: &in.Folder})
		},
	}
}

func (h *Handlers) include() act.Declaration {
	return act.Change[FolderIn, Nothing]{
		Name: "handler.exception.remove", Doc: "Hold the sites in a folder to the handler policy again.", Class: class,
		Roles: act.Admins, Must: []string{"handler.exception.removed"}, Serves: serves(), Sample: FolderIn{"/var/www/old-shop"}, Target: target[FolderIn],
		Run: func(ctx context.Context, tx *act.Tx, in FolderIn) (Nothing, error) {
			n, err := tx.Exec(ctx, `DELETE FROM handler_exception WHERE policy_id = 'server' AND folder = $1`, in.Folder)
			if err != nil {
				return Nothing{}, err
			}
			if n == 0 {
				return Nothing{}, core.Errorf(core.NotFound, "the folder %.200q is no exception of the handler policy", in.Folder)
			}
			return Nothing{}, tx.Record(ctx, "handler.exception.removed", self, act.Field{Name: "folder", Old: &in.Folder})
		},
	}
}

// Standing is the policy, and how the server stands.
type Standing struct {
	Apache     bool     `json:"apache"`
	Rewrite    bool     `json:"rewrite"`
	Exceptions []string `json:"exceptions"`

	State    string    `json:"state,omitempty"` // of the control
	Sentence string    `json:"sentence"`
	Seen     time.Time `json:"seen,omitzero"`
	Fault    string    `json:"fault,omitempty"` // why it is not known
	Alarms   []string  `json:"alarms,omitempty"`
	Plan     []string  `json:"plan,omitempty"` // what differs from the order that holds
	Observed
}

func (h *Handlers) show() act.Declaration {
	return act.Query[Nothing, Standing]{
		Name: "handler.show", Doc: "Show the handler policy, and where sites may choose handlers now.", Class: class,
		Roles: act.Admins | act.Auditor, Serves: serves(), Sample: Nothing{}, Target: target[Nothing],
		Run: func(ctx context.Context, v *act.View, _ Nothing) (Standing, error) { return h.standing(ctx, v) },
	}
}

func (h *Handlers) standing(ctx context.Context, v *act.View) (Standing, error) {
	d, err := desired(ctx, v)
	out := Standing{Apache: d.Apache, Rewrite: d.Rewrite, Exceptions: d.Exceptions}
	if err != nil {
		return out, err
	}
	if err := h.look(ctx, &out); err != nil {
		out.Fault = err.Error()
	}
	out.Sentence = out.says()
	return out, nil
}

// look takes over what the agent saw.
func (h *Handlers) look(ctx context.Context, out *Standing) error {
	if h.ports.Look == nil {
		return errors.New("nobody looks at this server: its agent is not there")
	}
	s, err := h.ports.Look(ctx, Control)
	if err != nil {
		return fmt.Errorf("the agent does not answer: %w", err)
	}
	out.State, out.Seen, out.Fault, out.Alarms, out.Plan = s.State, s.Seen, s.Fault, s.Alarms, s.Plan
	if len(s.Observed) == 0 {
		return nil
	}
	if err := json.Unmarshal(s.Observed, &out.Observed); err != nil {
		return fmt.Errorf("what the agent saw cannot be read: %w", err)
	}
	return nil
}

// says is how the server stands, in one sentence.
func (s Standing) says() string {
	free := slices.ContainsFunc(s.Grants, func(g apache.Grant) bool { return !g.Except })
	switch {
	case s.Fault != "" || s.Seen.IsZero():
		return "It is not known whether sites can choose handlers."
	case !s.Installed:
		return "Apache is not installed: there is nothing to hold."
	case !s.Running:
		return "Apache does not run; what its files say would hold once it does."
	case free:
		return "Sites can choose handlers by .htaccess, where the list says."
	case !s.Loaded:
		return "The files forbid it, and Apache has not loaded them yet."
	case len(s.Alarms)+len(s.Blind) > 0:
		return "No .htaccess that was seen can choose a handler by name; something could not be ruled out."
	}
	return "No site can choose a handler by .htaccess, exceptions aside."
}

// Impact is what the policy would break, or breaks.
type Impact struct {
	Known   bool         `json:"known"` // somebody has looked
	Fault   string       `json:"fault,omitempty"`
	Seen    time.Time    `json:"seen,omitzero"`
	Files   int          `json:"files"` // .htaccess that were looked at
	Sites   int          `json:"sites"` // that would break
	Breaks  []apache.Use `json:"breaks"`
	Remains []apache.Use `json:"remains"` // choose a handler in ways that Apache cannot forbid
	More    int          `json:"more,omitempty"`
	Unseen  []string     `json:"unseen,omitempty"`
}

func (h *Handlers) impact() act.Declaration {
	return act.Query[Nothing, Impact]{
		Name: "handler.impact", Doc: "List what the handler policy would break, by site, file and line.", Class: class,
		Roles: act.Admins | act.Auditor, Serves: serves(), Sample: Nothing{}, Target: target[Nothing],
		Run: func(ctx context.Context, v *act.View, _ Nothing) (Impact, error) {
			s, err := h.standing(ctx, v)
			out := Impact{Fault: s.Fault, Seen: s.Seen, Known: err == nil && s.Fault == "" && !s.Seen.IsZero(), Files: s.Files, Breaks: []apache.Use{}, Remains: []apache.Use{}, More: s.More, Unseen: s.Unseen}
			p := apache.Policy{Rewrite: s.Rewrite, Exceptions: s.Exceptions}
			sites := map[string]bool{}
			for _, u := range s.Uses {
				switch {
				case p.Breaks(u):
					out.Breaks = append(out.Breaks, u)
					sites[cmp.Or(u.Site, u.File)] = true
				case p.Leaves(u):
					out.Remains = append(out.Remains, u)
				}
			}
			out.Sites = len(sites)
			return out, err
		},
	}
}
