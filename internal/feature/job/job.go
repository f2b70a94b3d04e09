package job

import (
	"context"
	"embed"
	"encoding/json"
	"net/url"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

// The states of a job.
const (
	Running     = "running"
	Cancelling  = "cancelling"
	Done        = "done"
	Failed      = "failed"
	Interrupted = "interrupted"
)

// Job is one piece of long work.
type Job struct {
	ID      string    `json:"id"`
	Op      string    `json:"op"`
	Tenant  string    `json:"tenant"`
	Actor   string    `json:"actor"`
	State   string    `json:"state"`
	Summary string    `json:"summary,omitempty"`
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended,omitzero"`
	Done    int64     `json:"done,omitempty"`  // steps, while it runs
	Total   int64     `json:"total,omitempty"` // of so many; 0: unknown
}

// Jobs is the feature.
type Jobs struct {
	below    func(ctx context.Context, v *act.View, tenant string) ([]string, error)
	progress func(id string) (done, total int64, under bool)
}

var _ act.Jobs = (*Jobs)(nil)

// New joins the feature: below returns the tenants below one, progress asks
// the bus how far a job is.
func New(below func(context.Context, *act.View, string) ([]string, error), progress func(string) (int64, int64, bool)) *Jobs {
	return &Jobs{below, progress}
}

//go:embed sql
var migrations embed.FS

//go:embed page
var pages embed.FS

// Feature declares it to the house.
func (j *Jobs) Feature() act.Feature {
	return act.Feature{Name: "job", SQL: migrations,
		Ops:   []act.Declaration{start, end, j.list(), j.show(), cancel},
		Kinds: []act.Kind{{Name: "job", Title: "Jobs", Path: "/jobs/{id}", Owner: owner, Digest: digest, IDs: ids}},
		Pages: []act.Page{
			{Path: "/jobs", Title: "Jobs", Section: "Log", Icon: "clock", Order: 45, Roles: act.Readers, Template: pages, File: "page/jobs.html",
				Calls: func(map[string]string, url.Values) map[string]act.Call {
					return map[string]act.Call{"jobs": {Op: "job.list"}}
				}},
			{Path: "/jobs/{job}", Title: "Job", Section: "Log", Icon: "clock", Roles: act.Readers, Template: pages, File: "page/job.html",
				Calls: func(path map[string]string, _ url.Values) map[string]act.Call {
					in, _ := json.Marshal(One{path["job"]})
					return map[string]act.Call{"job": {Op: "job.show", Input: in}}
				}},
		}}
}

// One names a job.
type One struct {
	Job string `json:"job" doc:"Id of the job" rule:"required,max=40" cli:"arg"`
}

const sampleID = "j_00000000000000000000000000"

func aim(_ context.Context, _ *act.View, in *One) (core.Ref, error) { return ref(in.Job), nil }

func ref(id string) core.Ref { return core.Ref{Kind: "job", ID: id} }

// Started is the input of job.start.
type Started struct {
	Op     string `json:"op" doc:"Operation that the job carries out" rule:"required,max=80"`
	Tenant string `json:"tenant" doc:"Tenant whose objects it is about" rule:"required,max=40"`
	Actor  string `json:"actor" doc:"Id of who started it" rule:"max=80"`
}

var start = act.Change[Started, One]{
	Name: "job.start", Doc: "Note that a job begins.", Class: "panel", Roles: act.System, Must: []string{"job.started"},
	Sample: Started{Op: "log.check", Tenant: core.Provider, Actor: "a_anna"},
	Target: func(context.Context, *act.View, *Started) (core.Ref, error) { return core.Ref{}, nil },
	Run: func(ctx context.Context, tx *act.Tx, in Started) (One, error) {
		id := core.NewID("j")
		if _, err := tx.Exec(ctx, `INSERT INTO job_job (id, op, tenant, actor, state, summary, started, ended) VALUES ($1, $2, $3, $4, 'running', '', $5, 0)`,
			id, in.Op, in.Tenant, in.Actor, tx.Now().UnixMicro()); err != nil {
			return One{}, err
		}
		state := Running
		return One{id}, tx.Record(ctx, "job.started", ref(id), act.Field{Name: "op", New: &in.Op}, act.Field{Name: "state", New: &state})
	},
}

// Ended is the input of job.end.
type Ended struct {
	Job     string `json:"job" doc:"Id of the job" rule:"required,max=40"`
	State   string `json:"state" doc:"How it ended" rule:"required,enum=done|failed|interrupted"`
	Summary string `json:"summary" doc:"How it went, in a sentence" rule:"max=4000" form:"textarea"`
}

var end = act.Change[Ended, One]{
	Name: "job.end", Doc: "Note how a job ended.", Class: "panel", Roles: act.System, Must: []string{"job.ended"},
	Sample: Ended{Job: sampleID, State: Done, Summary: "Nothing was changed."},
	Target: func(_ context.Context, _ *act.View, in *Ended) (core.Ref, error) { return ref(in.Job), nil },
	Run: func(ctx context.Context, tx *act.Tx, in Ended) (One, error) {
		old, err := byID(ctx, &tx.View, in.Job)
		if err != nil {
			return One{}, err
		}
		if _, err := tx.Exec(ctx, `UPDATE job_job SET state = $1, summary = $2, ended = $3 WHERE id = $4`, in.State, in.Summary, tx.Now().UnixMicro(), in.Job); err != nil {
			return One{}, err
		}
		return One{in.Job}, tx.Record(ctx, "job.ended", ref(in.Job), act.Field{Name: "op", New: &old.Op},
			act.Field{Name: "state", Old: &old.State, New: &in.State}, act.Field{Name: "summary", New: &in.Summary})
	},
}

// Begin is the bus's port.
func (j *Jobs) Begin(ctx context.Context, b *act.Bus, who act.Actor, op, tenant string) (string, act.Result, error) {
	in := Started{Op: op, Tenant: tenant, Actor: who.ID}
	who.Role = act.System // the bus has checked the right to start; this is the note of it
	out, r, err := start.Call(ctx, b, who, in)
	return out.Job, r, err
}

// End is the bus's port.
func (j *Jobs) End(ctx context.Context, b *act.Bus, id, summary string, failure error) error {
	in := Ended{Job: id, State: Done, Summary: summary}
	if failure != nil {
		in.State, in.Summary = Failed, core.AsError(failure).Sentence()
	}
	_, _, err := end.Call(ctx, b, act.SystemActor("job"), in)
	return err
}

// Interrupt marks what the last stop cut off. The house calls it at start.
func (j *Jobs) Interrupt(ctx context.Context, b *act.Bus) error {
	var open []string
	err := b.Look(ctx, "job", func(v *act.View) error {
		return v.Each(ctx, `SELECT id FROM job_job WHERE ended = 0`, nil, func(scan func(...any) error) error {
			var id string
			err := scan(&id)
			open = append(open, id)
			return err
		})
	})
	for _, id := range open {
		if err == nil {
			_, _, err = end.Call(ctx, b, act.SystemActor("start"), Ended{Job: id, State: Interrupted, Summary: "the server stopped before the job ended"})
		}
	}
	return err
}

// List is the output of job.list.
type List struct {
	Jobs []Job `json:"jobs"`
}

func (j *Jobs) list() act.Declaration {
	return act.Query[struct{}, List]{
		Name: "job.list", Doc: "List the last jobs, newest first.", Class: "panel", Roles: act.Readers,
		Target: func(context.Context, *act.View, *struct{}) (core.Ref, error) { return core.Ref{}, nil },
		Run: func(ctx context.Context, v *act.View, _ struct{}) (List, error) {
			jobs, err := recent(ctx, v)
			if err != nil {
				return List{}, err
			}
			below, err := j.below(ctx, v, v.Actor().Tenant)
			var out List
			for _, x := range jobs {
				if v.Actor().Tenant == core.Provider || x.Tenant == v.Actor().Tenant || contains(below, x.Tenant) {
					out.Jobs = append(out.Jobs, j.live(x))
				}
			}
			return out, err
		},
	}
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

func (j *Jobs) show() act.Declaration {
	return act.Query[One, Job]{
		Name: "job.show", Doc: "Show how far a job is, or how it ended.", Class: "panel", Roles: act.Readers,
		Sample: One{sampleID}, Target: aim,
		Run: func(ctx context.Context, v *act.View, in One) (Job, error) {
			x, err := byID(ctx, v, in.Job)
			return j.live(x), err
		},
	}
}

// live adds how far a job is; the bus is asked, not the database.
func (j *Jobs) live(x Job) Job {
	if x.Ended.IsZero() {
		x.Done, x.Total, _ = j.progress(x.ID)
	}
	return x
}

var cancel = act.Change[One, One]{
	Name: "job.cancel", Doc: "Ask a job to stop.", Class: "panel", Roles: act.Hosted, Must: []string{"job.cancelled"}, Wakes: []string{"job"},
	Sample: One{sampleID}, Target: aim,
	Run: func(ctx context.Context, tx *act.Tx, in One) (One, error) {
		old, err := byID(ctx, &tx.View, in.Job)
		if err != nil || old.State != Running {
			return in, err
		}
		if _, err := tx.Exec(ctx, `UPDATE job_job SET state = 'cancelling' WHERE id = $1`, in.Job); err != nil {
			return in, err
		}
		state := Cancelling
		return in, tx.Record(ctx, "job.cancelled", ref(in.Job), act.Field{Name: "state", Old: &old.State, New: &state})
	},
}
