package actionlog

import (
	"context"
	"embed"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/ledger"
)

// Ports are what the feature needs of the house; none may be nil.
type Ports struct {
	// Browser reads records; its Status says how firmly each stands.
	Browser ledger.Browser
	// Below returns the tenants below one, without itself.
	Below func(ctx context.Context, v *act.View, tenant string) ([]string, error)
	// Tenant returns the id of the tenant that text names, by id or log-in name.
	Tenant func(ctx context.Context, v *act.View, text string) (string, error)
	// Verify recomputes the whole log and the state, and says what it found.
	// thorough opens every personal value and recomputes every summary, where
	// otherwise a sample does. progress, if not nil, is told how many of how
	// many records are done.
	Verify func(ctx context.Context, thorough bool, progress func(done, total int64)) (Report, error)
	// Prove returns the proof of one record, as a file.
	Prove func(ctx context.Context, seq int64) (Proof, error)
	// Complete writes a heads record and proves where the chain of one object ends.
	Complete func(ctx context.Context, object core.Ref) (Completeness, error)
	// Status says how far sealing and witnessing have come.
	Status func(ctx context.Context) (Status, error)
}

// Report is what a verification found.
type Report struct {
	Sound    bool     `json:"sound"`
	Sentence string   `json:"sentence"` // the verdict in one sentence
	Findings []string `json:"findings,omitempty"`
	Records  int64    `json:"records"`
	Objects  int64    `json:"objects"`
	Millis   int64    `json:"millis"`
	Against  string   `json:"against"` // the checkpoint it was held against
	Promise  string   `json:"promise"` // what the verdict rests on: who else has seen the log
}

// Proof is an inclusion proof (C2SP tlog-proof) and what it is about.
type Proof struct {
	Name string `json:"name"` // file name
	File string `json:"file"` // its text; holds the proved bytes
	Key  string `json:"key"`  // verifier key of the checkpoint's signature
}

// Completeness shows that the log holds nothing about an object beyond its
// chain: where the chain ends, by a Merkle proof into a sealed heads record
// (docs/log-format.md, Heads).
type Completeness struct {
	Line   string   `json:"line"`   // end of the chain, the canonical line of the heads map
	Index  int      `json:"index"`  // of the line in its bucket
	Size   int      `json:"size"`   // lines in the bucket
	Inner  []string `json:"inner"`  // audit path to the bucket's root, base64
	Outer  []string `json:"outer"`  // audit path to the map's root, base64
	Root   string   `json:"root"`   // of the map, as the heads record has it
	Record int64    `json:"record"` // number of the heads record
	Proof  Proof    `json:"proof"`  // that the heads record is in the log
}

// Status is how far the log is protected.
type Status struct {
	Records    int64     `json:"records"`   // committed
	Sealed     int64     `json:"sealed"`    // of them, below a signed checkpoint
	Witnessed  int64     `json:"witnessed"` // of them, below a cosigned one
	Epoch      int       `json:"epoch"`
	Root       string    `json:"root"`
	Checkpoint string    `json:"checkpoint"`
	Key        string    `json:"key"`
	Witnesses  []Witness `json:"witnesses,omitempty"`
	Sentence   string    `json:"sentence"` // honest words about what this proves
}

// Witness is one outside witness and what it has seen.
type Witness struct {
	Name  string `json:"name"`
	Size  int64  `json:"size"`
	At    string `json:"at,omitempty"`
	Error string `json:"error,omitempty"`
}

// Log is the feature.
type Log struct{ ports Ports }

// New joins the feature with what it needs.
func New(p Ports) *Log { return &Log{p} }

//go:embed page
var pages embed.FS

//go:embed sql
var migrations embed.FS

// Feature declares it to the house.
func (l *Log) Feature() act.Feature {
	return act.Feature{Name: "actionlog",
		SQL: migrations,
		Ops: []act.Declaration{l.holdAdd(), holdEnd, holdList, l.list(), l.show(), l.status(), l.verify(), l.check(), l.complete(), l.prove(), l.histogram(), l.tail(), l.export()},
		Kinds: []act.Kind{{Name: "log", Title: "Action log", Path: "/log",
			Owner:  func(context.Context, *act.View, string) (string, error) { return core.Provider, nil },
			Digest: func(context.Context, *act.View, string) (string, error) { return "-", nil },
			IDs:    func(context.Context, *act.View) ([]string, error) { return nil, nil },
		}, {Name: "hold", Title: "Legal holds", Owner: holdOwner, Digest: holdDigest, IDs: holdIDs}},
		Pages: pageList(),
	}
}

// scope is what the actor may see of the log.
func (l *Log) scope(ctx context.Context, v *act.View) (ledger.Scope, error) {
	a := v.Actor()
	if a.Tenant == core.Provider || a.Role == act.System {
		return ledger.Scope{All: true}, nil
	}
	below, err := l.ports.Below(ctx, v, a.Tenant)
	return ledger.Scope{Tenants: append(below, a.Tenant)}, err
}

// nothing is the target of operations that aim at no object: what the actor
// may see is his scope.
func nothing[I any](context.Context, *act.View, *I) (core.Ref, error) { return core.Ref{}, nil }

const class = "log"

func serves() []string { return []string{"2690:3.2"} }
