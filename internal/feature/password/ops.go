package password

import (
	"context"
	"embed"
	"regexp"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

// Ports are what the policy is joined with; none may be nil.
type Ports struct {
	// Estimate says how guessable a password is; words are the user's own. It
	// takes up to some 15 ms of a core, and core.Throttled when too many wait.
	Estimate func(ctx context.Context, password string, words []string) (Guess, error)
	// Breached reports whether the password is in the list that is loaded.
	Breached func(password string) bool
	// Loaded is the digest of the list that is loaded, "" for none.
	Loaded func() string
	// Inspect reads what a file in the folder "blocklist" says about itself, and
	// checks that it is whole.
	Inspect func(ctx context.Context, file string) (List, error)
	// NIS2 reports whether the NIS2 mode is on.
	NIS2 func() bool
	// Census counts the passwords of panel log-ins.
	Census func(ctx context.Context, v *act.View, demand string) (Census, error)
	// Link returns core.Unauthenticated unless token is that of a one-time link
	// that can be claimed, and the names of whose it is.
	Link func(ctx context.Context, v *act.View, token core.Secret) (names []string, err error)
	// Names returns the caller's own names, and whether he has a second factor.
	Names func(ctx context.Context, v *act.View) (names []string, second bool, err error)
}

// Census is how the passwords that are kept stand.
type Census struct {
	Total   int `json:"total"`
	Current int `json:"current"` // held against what is asked now, and good
	Weak    int `json:"weak"`    // must be changed at the next log-in
	Unseen  int `json:"unseen"`  // not held against it yet
}

// Passwords is the feature.
type Passwords struct{ Ports }

// New makes the feature.
func New(p Ports) *Passwords { return &Passwords{p} }

//go:embed sql
var migrations embed.FS

// Feature declares it.
func (p *Passwords) Feature() act.Feature {
	return act.Feature{Name: "password", SQL: migrations,
		Ops: []act.Declaration{p.check(), offer(), p.show(), p.set(), p.adopt()},
		Kinds: []act.Kind{{Name: "password", Title: "Password policy", Path: "/security-policy",
			Owner:  func(context.Context, *act.View, string) (string, error) { return core.Provider, nil },
			Digest: digest, IDs: ids}}}
}

const (
	class = "authentication"
	proof = 15 * time.Minute
)

var serves = []string{"2690:11.6"}

func nowhere[I any](context.Context, *act.View, *I) (core.Ref, error) { return core.Ref{}, nil }
func target[I any](context.Context, *act.View, *I) (core.Ref, error)  { return self, nil }

// Demand says in one word what is asked of passwords now. It differs when the
// minimum or the list changes.
func (p *Passwords) Demand(ctx context.Context, v *act.View) (string, error) {
	now, _, err := read(ctx, v)
	return demand(p.level(now), now.List.Digest), err
}

// level is the level in force: what was set, and strong in NIS2 mode.
func (p *Passwords) level(now policy) int {
	if p.NIS2() {
		return max(now.Level, strong)
	}
	return now.Level
}

// Fault says why a password is not accepted, "" when it is. second: it stands
// beside a second factor. words are the user's own names. It reads nothing, so
// that a view can be released before.
func (p *Passwords) Fault(ctx context.Context, demand string, password core.Secret, second bool, words ...string) (string, error) {
	j, err := p.judge(ctx, demand, password, second, words)
	return j.fault, err
}

func (p *Passwords) judge(ctx context.Context, demand string, password core.Secret, second bool, words []string) (judgement, error) {
	text := password.Reveal()
	if len(text) > maxBytes { // nothing estimates what is not accepted anyway
		return judge(text, second, false, 0, Guess{}), nil
	}
	g, err := p.Estimate(ctx, text, words)
	if err != nil {
		return judgement{}, err
	}
	g.Score = min(max(g.Score, 0), len(levels)-1)
	return judge(text, second, p.Breached(text), levelOf(demand), g), nil
}

// Check is the input of password.check.
type Check struct {
	Password core.Secret `json:"password" form:"password" rule:"required,max=256" doc:"password to judge; it is not kept"`
	Login    string      `json:"login" rule:"max=254" doc:"log-in name it would belong to"`
	Name     string      `json:"name" rule:"max=200" doc:"name of the person it would belong to"`
	Token    core.Secret `json:"token" rule:"max=200" doc:"token of a one-time link, for somebody who is not logged in"`
}

// Verdict is the output of password.check.
type Verdict struct {
	Level  string   `json:"level"`
	Score  int      `json:"score"`  // 0 to 4
	Enough bool     `json:"enough"` // it would be accepted
	Fault  string   `json:"fault,omitempty"`
	Why    []string `json:"why,omitempty"`
	Advice []string `json:"advice,omitempty"`
}

// check judges a password while somebody types it. Strangers show a link that
// can be claimed: estimating is work.
func (p *Passwords) check() act.Query[Check, Verdict] {
	return act.Query[Check, Verdict]{
		Name: "password.check", Doc: "Say how strong a password is, and why.", Class: class, Roles: act.Stranger | act.Entrant | act.Readers,
		Serves: serves, Sample: Check{Password: core.NewSecret("a password of many words"), Login: "anna"}, Target: nowhere[Check],
		Run: func(ctx context.Context, v *act.View, in Check) (Verdict, error) {
			names, second, err := p.whose(ctx, v, in)
			if err != nil {
				return Verdict{}, err
			}
			demand, err := p.Demand(ctx, v)
			if err != nil {
				return Verdict{}, err
			}
			v.Release() // what takes a core for a while holds no snapshot
			j, err := p.judge(ctx, demand, in.Password, second, append(names, in.Login, in.Name))
			return Verdict{levels[j.Score], j.Score, j.fault == "", j.fault, j.Why, j.Advice}, err
		},
	}
}

func (p *Passwords) whose(ctx context.Context, v *act.View, in Check) (names []string, second bool, err error) {
	if v.Actor().Role == act.Stranger {
		names, err = p.Link(ctx, v, in.Token)
		return names, false, err
	}
	return p.Names(ctx, v)
}

// Nothing is an input without fields.
type Nothing struct{}

// Offered is the output of password.generate.
type Offered struct {
	Password string `json:"password"` // plain: it is nobody's yet
}

func offer() act.Query[Nothing, Offered] {
	return act.Query[Nothing, Offered]{
		Name: "password.generate", Doc: "Make up a strong password that can be read aloud.", Class: class,
		Roles: act.Stranger | act.Entrant | act.Readers, Serves: serves, Sample: Nothing{}, Target: nowhere[Nothing],
		Run: func(context.Context, *act.View, Nothing) (Offered, error) { return Offered{generate().Reveal()}, nil },
	}
}

// Policy is the output of password.policy.show.
type Policy struct {
	Level  string   `json:"level"`  // that was set
	Force  string   `json:"force"`  // that is in force
	NIS2   bool     `json:"nis2"`   // the NIS2 mode asks for strong
	Levels []string `json:"levels"` // that there are
	Alone  int      `json:"alone"`  // characters of a password that stands alone
	Beside int      `json:"beside"` // of one beside a second factor
	List   *List    `json:"list,omitempty"`
	Loaded bool     `json:"loaded"` // the list is in force
	Census Census   `json:"census"`
}

func (p *Passwords) show() act.Query[Nothing, Policy] {
	return act.Query[Nothing, Policy]{
		Name: "password.policy.show", Doc: "Show what is asked of passwords, and how those that are kept stand.", Class: class,
		Roles: act.Admins | act.Auditor, Serves: serves, Sample: Nothing{}, Target: target[Nothing],
		Run: func(ctx context.Context, v *act.View, _ Nothing) (Policy, error) {
			now, _, err := read(ctx, v)
			if err != nil {
				return Policy{}, err
			}
			out := Policy{Level: levels[now.Level], Force: levels[p.level(now)], NIS2: p.NIS2(), Levels: levels, Alone: minAlone, Beside: minBeside}
			if now.List.File != "" {
				out.List, out.Loaded = &now.List, p.Loaded() == now.List.Digest
			}
			out.Census, err = p.Census(ctx, v, demand(p.level(now), now.List.Digest))
			return out, err
		},
	}
}

// Level is the input of password.policy.set.
type Level struct {
	Level string `json:"level" cli:"arg" rule:"required,enum=very weak|weak|medium|strong|very strong" doc:"weakest password that is accepted; in NIS2 mode strong holds at least"`
}

func (p *Passwords) set() act.Change[Level, Level] {
	return act.Change[Level, Level]{
		Name: "password.policy.set", Doc: "Say how strong passwords must be; those that are kept are held against it at their next log-in.", Class: class,
		Roles: act.Primary, Proof: proof, Must: []string{"password.policy.set"}, Serves: serves, Sample: Level{"very strong"}, Target: target[Level],
		Run: func(ctx context.Context, tx *act.Tx, in Level) (Level, error) {
			old, found, err := read(ctx, &tx.View)
			if err != nil || found && levels[old.Level] == in.Level {
				return in, err
			}
			now, was := old, levels[old.Level]
			now.Level = levelNamed(in.Level)
			if err := write(ctx, tx, now); err != nil {
				return in, err
			}
			return in, tx.Record(ctx, "password.policy.set", self, act.Field{Name: "level", Old: &was, New: &in.Level})
		},
	}
}

// Adopt is the input of password.blocklist.adopt.
type Adopt struct {
	File string `json:"file" cli:"arg" rule:"required,max=80" doc:"name of a filter in the folder blocklist of the data folder"`

	list List
}

var fileForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*\.fuse$`)

// Validate holds the rules beyond the tags.
func (a *Adopt) Validate(f *core.Faults) {
	if !fileForm.MatchString(a.File) {
		f.Add("file", a.File, "must be the name of a file such as 2026-11.fuse, without a folder")
	}
}

// adopt puts a filter into force that the command "password blocklist import"
// made. The file is on the machine already, so whoever names it is there too.
func (p *Passwords) adopt() act.Change[Adopt, List] {
	return act.Change[Adopt, List]{
		Name: "password.blocklist.adopt", Doc: "Put a filter of breached passwords into force.", Class: class, Roles: act.Primary,
		Must: []string{"password.blocklist.adopted"}, Wakes: []string{"blocklist"}, Serves: serves, Sample: Adopt{File: "2026-11.fuse"}, Target: target[Adopt],
		Prepare: func(ctx context.Context, v *act.View, in *Adopt) (err error) {
			if v.Actor().Kind != "os" {
				return core.Errorf(core.Denied, "a list is taken in at the server's own command line: hostward password blocklist import FILE")
			}
			v.Release()
			in.list, err = p.Inspect(ctx, in.File)
			return err
		},
		Run: func(ctx context.Context, tx *act.Tx, in Adopt) (List, error) {
			old, found, err := read(ctx, &tx.View)
			if err != nil || found && old.List.Digest == in.list.Digest && old.List.File == in.list.File {
				return old.List, err
			}
			now := old
			now.List = in.list
			now.List.Adopted = tx.Now()
			if err := write(ctx, tx, now); err != nil {
				return List{}, err
			}
			return now.List, tx.Record(ctx, "password.blocklist.adopted", self, act.Diff(old.List, now.List)...)
		},
	}
}

// InForce returns the list that should be loaded, "" for none.
func InForce(ctx context.Context, v *act.View) (file, digest string, err error) {
	now, _, err := read(ctx, v)
	return now.List.File, now.List.Digest, err
}
