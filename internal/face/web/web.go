package web

import (
	"compress/gzip"
	"context"
	"errors"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

// Bus is what the face needs of the one door. *act.Bus is it.
type Bus interface {
	Do(ctx context.Context, c act.Call) (act.Result, error)
	Refuse(ctx context.Context, c act.Call, err error) (act.Result, error)
	Read(ctx context.Context, a act.Actor, calls map[string]act.Call) (map[string]act.Result, map[string]error)
	Stream(ctx context.Context, c act.Call, send func(any) error) error
	Upload(ctx context.Context, a act.Actor, r io.Reader) (string, error)
	Find(ctx context.Context, a act.Actor, text string, most int) (map[core.Ref]string, error)
	May(a act.Actor, op *act.Op) bool
	Admitted(ctx context.Context, a act.Actor) error
}

// Config is what a Face is made of. Registry, Bus, Session, Clock and Logger
// are needed; every other field may stay empty.
type Config struct {
	Registry *act.Registry
	Bus      Bus
	// Session returns whose session a cookie's token is, with Kind, ID, Name,
	// Role, Tenant, Session, Proof and By set. core.Unauthenticated: nobody's. use
	// is false for what a page does by itself, which keeps no session alive.
	Session func(ctx context.Context, token core.Secret, use bool) (act.Actor, error)
	Clock   core.Clock
	Logger  *slog.Logger

	// Ready reports whether there is an administrator. Until then every page
	// leads to the set-up page. Nil: always.
	Ready func(ctx context.Context) bool
	// Ledger says how well the log is protected now, for the rail. Nil: not shown.
	Ledger func(ctx context.Context) Ledger

	// Ways names the fields of the operation Prove that somebody can use. Nil: all.
	Ways func(ctx context.Context, a act.Actor) []string

	Login, Setup, Logout string // operations behind /login, /setup and "Log out"
	Leave                string // operation that ends acting as somebody else
	Prove                string // operation that shows once more who somebody is
	Step                 string // page of who has one more step to go
	Record               string // page of one log record, with {id}: "/log/{id}"
	Browser              string // page of the log: "/log"
	Version              string
	Location             *time.Location // shown beside UTC; nil: the machine's
}

// Ledger is the honest state of the action log.
type Ledger struct {
	Records   uint64    // committed
	Sealed    uint64    // of them, covered by a signed checkpoint
	SealedAt  time.Time // of that checkpoint
	Root      string    // its root hash, base64 or hex
	Witnesses int       // outside witnesses that cosigned it
	Stopped   string    // why sealing stands still; "" while it runs
}

// Face is the web face. It keeps nothing between two requests.
type Face struct {
	Config
	assets *assets
	base   *template.Template
	pages  []*route
	rail   []railGroup
	zips   sync.Pool
	handle http.Handler
}

// New draws the web face from the registry. It refuses a page whose template
// does not parse and names every fault.
func New(c Config) (*Face, error) {
	if c.Registry == nil || c.Bus == nil || c.Session == nil || c.Clock == nil || c.Logger == nil {
		return nil, errors.New("a web face needs Registry, Bus, Session, Clock and Logger")
	}
	if c.Location == nil {
		c.Location = time.Local
	}
	f := &Face{Config: c}
	f.zips.New = func() any { w, _ := gzip.NewWriterLevel(io.Discard, 5); return w }
	var err error
	if f.assets, err = loadAssets(files); err != nil {
		return nil, err
	}
	if f.base, err = f.templates(); err != nil {
		return nil, err
	}
	if err := f.loadPages(); err != nil {
		return nil, err
	}
	f.rail = f.groups()
	f.handle = f.routes()
	return f, nil
}

func (f *Face) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /asset/", f.assets)
	mux.HandleFunc("GET /do/{op}", f.visited(f.showOp))
	mux.HandleFunc("POST /do/{op}", f.visited(f.do))
	mux.HandleFunc("POST /ask/{op}", f.visited(f.ask))
	mux.HandleFunc("POST /look", f.visited(f.look))
	mux.HandleFunc("GET /search", f.visited(f.search))
	mux.HandleFunc("GET /search.json", f.visited(f.searchJSON))
	mux.HandleFunc("GET /stream/{op}", f.visited(f.stream))
	mux.HandleFunc("GET /download/{op}", f.visited(f.download))
	mux.HandleFunc("GET /", f.visited(f.page))
	mux.HandleFunc("/", f.visited(f.wrongMethod))
	// CSRF: the session cookie is SameSite=Strict, and besides that a request
	// that changes something must come from this origin (Sec-Fetch-Site).
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(f.visited(f.foreign))
	return protected(guard.Handler(mux))
}

// ServeHTTP answers one request.
func (f *Face) ServeHTTP(w http.ResponseWriter, r *http.Request) { f.handle.ServeHTTP(w, r) }

var _ http.Handler = (*Face)(nil)
