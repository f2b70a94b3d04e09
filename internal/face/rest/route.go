package rest

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"hostward/internal/act"
)

// Base is the path under which everything is found.
const Base = "/api/v1"

// Route is one way to call an operation.
type Route struct {
	Op       *act.Op
	Method   string   // GET, POST, PATCH or DELETE
	Path     string   // "/api/v1/zones/{zone}/records"
	Places   []string // fields of the input that stand in the path, in order
	Resource bool     // false: the canonical route
}

// shape is one row of the table in the package's documentation.
type shape struct {
	method string
	kind   string // of operation: "query" stands for streams too, "change" for jobs
	member bool   // stands below one object, not below the collection
	suffix bool   // the verb ends the path
}

var shapes = map[string]shape{
	"list":   {method: http.MethodGet, kind: "query"},
	"create": {method: http.MethodPost, kind: "change"},
	"add":    {method: http.MethodPost, kind: "change"},
	"show":   {method: http.MethodGet, kind: "query", member: true},
	"update": {method: http.MethodPatch, kind: "change", member: true},
	"delete": {method: http.MethodDelete, kind: "change", member: true},
	"remove": {method: http.MethodDelete, kind: "change", member: true},
}

// Routes derives every route of the registry, ordered by operation, the
// canonical one first. It refuses two operations on one route.
func Routes(reg *act.Registry) ([]Route, error) {
	var routes []Route
	var faults []error
	for _, op := range reg.Ops() {
		faults = append(faults, clashes(op))
		routes = append(routes, canonical(op))
		if r, ok := resource(op); ok && !inner(op) {
			routes = append(routes, r)
		}
	}
	return routes, errors.Join(append(faults, overlaps(routes))...)
}

// acts reports an operation that may change something: a change or a job.
func acts(op *act.Op) bool { return op.Method != "query" && op.Method != "stream" }

// inner reports an operation for the house itself. It has a route, so that
// calling it is refused on record, but nobody needs to read about it.
func inner(op *act.Op) bool { return op.Roles&^act.System == 0 }

func canonical(op *act.Op) Route {
	r := Route{Op: op, Method: http.MethodPost, Path: Base + "/" + strings.ReplaceAll(op.Name, ".", "/")}
	if !acts(op) && urlable(op.Input) {
		r.Method = http.MethodGet
	}
	return r
}

// resource applies the table; false: the operation has no resource route.
func resource(op *act.Op) (Route, bool) {
	words := strings.Split(op.Name, ".")
	nouns, verb := words[:len(words)-1], words[len(words)-1]
	ids := identifiers(op)
	s, ok := shapeOf(op, verb, len(ids) >= len(nouns))
	need := len(nouns)
	if !s.member {
		need--
	}
	if !ok || len(ids) < need {
		return Route{}, false
	}
	r := Route{Op: op, Method: s.method, Path: Base, Places: ids[:need], Resource: true}
	for i, noun := range nouns {
		r.Path += "/" + plural(noun)
		if i < need {
			r.Path += "/{" + ids[i] + "}"
		}
	}
	if s.suffix {
		r.Path += "/" + verb
	}
	return r, true
}

func shapeOf(op *act.Op, verb string, member bool) (shape, bool) {
	kind := "query"
	if acts(op) {
		kind = "change"
	}
	s, known := shapes[verb]
	switch {
	case known:
		return s, s.kind == kind && (s.method == http.MethodPost || s.method == http.MethodPatch || urlable(op.Input))
	case kind == "change":
		return shape{http.MethodPost, kind, member, true}, true
	case !member:
		return shape{}, false
	}
	return shape{canonical(op).Method, kind, true, true}, true
}

// identifiers are the leading required positional fields that fit into a path.
func identifiers(op *act.Op) []string {
	var ids []string
	for _, p := range op.Input {
		if !p.Positional {
			continue
		}
		if !p.Required || p.Type != "string" && p.Type != "integer" || p.Enum != nil {
			break
		}
		ids = append(ids, p.Name)
	}
	return ids
}

// urlable reports whether all fields may stand in a URL. Secrets never do:
// addresses are kept in histories and logs of others.
func urlable(ps []act.Param) bool {
	return !slices.ContainsFunc(ps, func(p act.Param) bool {
		return p.Type == "secret" || p.Type == "file" || p.Type == "objects"
	})
}

func plural(noun string) string {
	switch {
	case strings.HasSuffix(noun, "y") && !strings.ContainsAny(noun[max(0, len(noun)-2):len(noun)-1], "aeiou"):
		return noun[:len(noun)-1] + "ies"
	case strings.HasSuffix(noun, "s"), strings.HasSuffix(noun, "x"), strings.HasSuffix(noun, "ch"), strings.HasSuffix(noun, "sh"):
		return noun + "es"
	}
	return noun + "s"
}

// Parameters of the call itself, in the query string of a change.
const (
	previewKey = "preview"
	confirmKey = "confirm"
)

// clashes refuses a field that could not be told from a parameter of the call.
func clashes(op *act.Op) error {
	for _, p := range op.Input {
		if acts(op) && (p.Name == previewKey || p.Name == confirmKey) {
			return fmt.Errorf("operation %q: the field %q has the name of a parameter of every call", op.Name, p.Name)
		}
	}
	return nil
}

// overlaps refuses two routes that one request could mean.
func overlaps(routes []Route) error {
	type class struct {
		method string
		length int
	}
	seen := map[class][]Route{}
	faults := []error{reserved(routes)}
	for _, r := range routes {
		c := class{r.Method, strings.Count(r.Path, "/")}
		for _, other := range seen[c] {
			if overlap(r.Path, other.Path) {
				faults = append(faults, fmt.Errorf("operations %q and %q both claim %s %s", other.Op.Name, r.Op.Name, r.Method, r.Path))
			}
		}
		seen[c] = append(seen[c], r)
	}
	return errors.Join(faults...)
}

func reserved(routes []Route) error {
	var faults []error
	for _, r := range routes {
		first, _, _ := strings.Cut(strings.TrimPrefix(r.Path, Base+"/"), "/")
		if first == "docs" || first == "uploads" {
			faults = append(faults, fmt.Errorf("operation %q: %s/%s belongs to the REST face itself", r.Op.Name, Base, first))
		}
	}
	return errors.Join(faults...)
}

func overlap(a, b string) bool {
	x, y := strings.Split(a, "/"), strings.Split(b, "/")
	for i := range x {
		if x[i] != y[i] && x[i][:min(1, len(x[i]))] != "{" && y[i][:min(1, len(y[i]))] != "{" {
			return false
		}
	}
	return true
}

// node is one segment in the tree of routes.
type node struct {
	literal map[string]*node
	place   *node
	routes  map[string]Route // by method
}

func tree(routes []Route) *node {
	root := &node{}
	for _, r := range routes {
		n := root
		for segment := range strings.SplitSeq(strings.TrimPrefix(r.Path, Base+"/"), "/") {
			n = n.child(segment)
		}
		if n.routes == nil {
			n.routes = map[string]Route{}
		}
		n.routes[r.Method] = r
	}
	return root
}

func (n *node) child(segment string) *node {
	if strings.HasPrefix(segment, "{") {
		if n.place == nil {
			n.place = &node{}
		}
		return n.place
	}
	if n.literal == nil {
		n.literal = map[string]*node{}
	}
	if n.literal[segment] == nil {
		n.literal[segment] = &node{}
	}
	return n.literal[segment]
}

// match is a route with the values of its places.
type match struct {
	Route
	values []string
}

// find collects what the path may mean, by method: an object may be called
// like a verb, and then the method tells them apart.
func (n *node) find(segments, values []string, found map[string]match) {
	if len(segments) == 0 {
		for method, r := range n.routes {
			found[method] = match{r, slices.Clone(values)}
		}
		return
	}
	if n.place != nil && segments[0] != "" {
		n.place.find(segments[1:], append(values, segments[0]), found)
	}
	if next := n.literal[segments[0]]; next != nil {
		next.find(segments[1:], values, found)
	}
}

// segments splits an escaped path below Base, so that %2F in a name stays in
// it: zones of RFC 2317 have a slash.
func segments(escaped string) ([]string, bool) {
	rest, ok := strings.CutPrefix(escaped, Base+"/")
	if !ok {
		return nil, false
	}
	parts := strings.Split(rest, "/")
	for i, p := range parts {
		var err error
		if parts[i], err = url.PathUnescape(p); err != nil {
			return nil, false
		}
	}
	return parts, true
}
