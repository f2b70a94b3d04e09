package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"

	"hostward/internal/act"
	"hostward/internal/core"
)

// Config is what a handler is made of.
type Config struct {
	Bus      *act.Bus
	Registry *act.Registry
	// Version of the program, for the OpenAPI document.
	Version string
	// Door is the actor's door in the log: "rest" for the network, "cli" for
	// the local socket.
	Door string
	// Authenticate says who sends the request: by bearer token, or by the peer
	// of a Unix socket. Who shows nothing is a stranger without an error; an
	// error is for a proof that is wrong, and the actor beside it, if any, goes
	// on record. It must not say to the caller what was wrong.
	Authenticate func(*http.Request) (act.Actor, error)
	// API returns nil when addr may call the API (SPEC A2); asked on each
	// request, before anything else. Nil: everyone may, as on the local socket.
	API func(addr netip.Addr) error
	// Log is told of answers that could not be written. Nil: nobody is.
	Log *slog.Logger
}

// New makes the handler for everything under Base. It fails when two
// operations claim one route, and when something is missing.
func New(c Config) (http.Handler, error) {
	if c.Bus == nil || c.Registry == nil || c.Authenticate == nil || c.Door == "" {
		return nil, errors.New("the REST face needs Bus, Registry, Authenticate and Door")
	}
	routes, err := Routes(c.Registry)
	if err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &handler{c, tree(routes), papers(c)}, nil
}

type handler struct {
	Config
	tree   *node
	papers map[string]paper
}

// exchange is one request on its way.
type exchange struct {
	h     *handler
	w     http.ResponseWriter
	r     *http.Request
	route match
	call  act.Call
}

// unknown stands in the log for an operation that does not exist: no
// operation can have this name, and strangers' guesses are counted together.
const unknown = "(unknown)"

// ServeHTTP answers one request.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	harden(w.Header())
	x := &exchange{h: h, w: w, r: r, call: act.Call{Op: unknown}}
	defer x.rescue()
	found := x.locate()
	if !x.enter() {
		return
	}
	if p, ok := h.papers[r.URL.Path]; ok {
		x.paper(p)
		return
	}
	switch {
	case r.URL.Path == Base+"/uploads":
		x.upload()
	case x.route.Op != nil:
		x.operation()
	case len(found) > 0:
		x.method(slices.Collect(maps.Keys(found)))
	default:
		x.absent()
	}
}

// rescue answers when a fault of ours would end the connection without a word.
// What began already is cut off: half an answer must not look whole.
func (x *exchange) rescue() {
	p := recover()
	if p == nil {
		return
	}
	if err, _ := p.(error); errors.Is(err, http.ErrAbortHandler) || x.w.Header().Get("Content-Type") != "" {
		panic(p)
	}
	x.h.Log.Error("a call failed", "op", x.call.Op, "panic", p, "stack", string(debug.Stack()))
	x.fail(core.Errorf(core.Internal, "something went wrong on the server; its log says what"), "")
}

// locate finds the route; what else the path takes is returned for Allow.
func (x *exchange) locate() map[string]match {
	found := map[string]match{}
	if parts, ok := segments(x.r.URL.EscapedPath()); ok {
		x.h.tree.find(parts, nil, found)
	}
	method := x.r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if m, ok := found[method]; ok && (m.Op.Method != "stream" || x.r.Method != http.MethodHead) {
		x.route, x.call.Op = m, m.Op.Name
	}
	return found
}

// enter asks panel.ini, then who it is.
func (x *exchange) enter() bool {
	stranger := act.Actor{Kind: "stranger", Role: act.Stranger}
	x.signed(stranger)
	if x.h.API != nil {
		if err := x.h.API(x.address()); err != nil {
			x.turnDown(err)
			return false
		}
	}
	actor, err := x.h.Authenticate(x.r)
	if actor.Kind != "" {
		x.signed(actor)
	}
	if err != nil {
		x.turnDown(err)
		return false
	}
	return true
}

// signed completes the actor with what the request says about him.
func (x *exchange) signed(a act.Actor) {
	a.Door = x.h.Door
	if addr := x.address(); a.Address == "" && addr.IsValid() {
		a.Address = addr.String()
	}
	if a.Agent == "" {
		a.Agent = printable(x.r.UserAgent())
		a.Agent = a.Agent[:min(len(a.Agent), 256)]
	}
	x.call.Actor = a
}

// address is the peer's; invalid on a Unix socket.
func (x *exchange) address() netip.Addr {
	ap, _ := netip.ParseAddrPort(x.r.RemoteAddr)
	return ap.Addr().Unmap()
}

// operation calls what the route stands for.
func (x *exchange) operation() {
	err := headers(x.r.Header, &x.call)
	if err == nil {
		err = x.input()
	}
	if err != nil {
		x.turnDown(err)
		return
	}
	if x.route.Op.Method == "stream" {
		x.stream()
		return
	}
	result, err := x.h.Bus.Do(x.r.Context(), x.call)
	if err != nil {
		x.fail(err, result.Record)
		return
	}
	x.succeed(result)
}

// turnDown refuses before the bus saw the input, on record.
func (x *exchange) turnDown(err error) {
	result, told := x.h.Bus.Refuse(x.r.Context(), x.call, err)
	if core.CodeOf(told) != core.CodeOf(err) { // the refusal itself could not be kept
		err = told
	}
	x.fail(err, result.Record)
}

func (x *exchange) absent() {
	x.call.Reason = printable(x.r.Method + " " + x.r.URL.EscapedPath())
	x.call.Reason = x.call.Reason[:min(len(x.call.Reason), 256)]
	result, err := x.h.Bus.Do(x.r.Context(), x.call)
	if core.CodeOf(err) == core.NotFound {
		err = core.Errorf(core.NotFound, "there is no operation at this address; %s/docs lists them", Base)
	}
	x.fail(err, result.Record)
}

// method answers a request that reached no operation, so nothing is on record.
func (x *exchange) method(allowed []string) {
	if slices.Contains(allowed, http.MethodGet) && x.r.Method != http.MethodHead {
		allowed = append(allowed, http.MethodHead)
	}
	slices.Sort(allowed)
	x.w.Header().Set("Allow", strings.Join(allowed, ", "))
	x.fail(refuse(noMethod, "this address takes %s", strings.Join(allowed, ", ")), "")
}

// upload spools a file for an operation that follows.
func (x *exchange) upload() {
	if x.r.Method != http.MethodPost {
		x.method([]string{http.MethodPost})
		return
	}
	x.call.Op = "upload"
	if !fileType(x.mediaType()) {
		x.turnDown(refuse(mediaType, "the content type must be text/plain or application/octet-stream"))
		return
	}
	handle, err := x.spool()
	if err != nil {
		x.turnDown(err)
		return
	}
	x.write(http.StatusOK, "application/json", Answer{Output: map[string]string{"handle": handle}, State: act.InForce})
}

func (x *exchange) fail(err error, record string) {
	p := problem(err, record)
	announce(x.w.Header(), p.Status)
	if record != "" {
		x.w.Header().Set("Hostward-Record", record)
	}
	x.write(p.Status, "application/problem+json", p)
}

// write sends one JSON document; it is complete or an error, never half.
func (x *exchange) write(status int, contentType string, v any) {
	body, err := encode(v)
	if err != nil {
		x.h.Log.Error("an answer cannot be written as JSON", "op", x.call.Op, "error", err)
		status, contentType = http.StatusInternalServerError, "application/problem+json"
		body, _ = encode(problem(err, ""))
	}
	x.w.Header().Set("Content-Type", contentType)
	x.w.WriteHeader(status)
	_, _ = x.w.Write(body)
}

// encode writes v as one line of JSON, with "<" as it is: nobody takes JSON
// for HTML here (nosniff).
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return b.Bytes(), err
}
