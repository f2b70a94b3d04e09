package jail

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strings"

	"hostward/internal/jail/pattern"
)

// What the tags of hosts stand for, as expressions with the groups ip4, ip6, dns and
// cidr.
const (
	ip4    = `(?:::f{4,6}:)?(?P<ip4>(?:\d{1,3}\.){3}\d{1,3})`
	ip6    = `(?P<ip6>(?:[0-9a-fA-F]{1,4}::?|::){1,7}(?:[0-9a-fA-F]{1,4}|(?<=:):))`
	dns    = `(?P<dns>[\w\-.^_]*\w)`
	cidr   = `(?P<cidr>\d+)`
	addr   = `\[?(?:` + ip4 + `|` + ip6 + `)\]?`
	subnet = `\[?(?:` + ip4 + `|` + ip6 + `)(?:/` + cidr + `)?\]?`
	host   = `(?:` + addr + `|` + dns + `)`
)

var hostTags = map[string]string{
	"IP4": ip4, "F-IP4/": ip4,
	"IP6": ip6, "F-IP6/": ip6,
	"ADDR": addr, "F-ADDR/": addr,
	"CIDR": cidr, "F-CIDR/": cidr,
	"SUBNET": subnet, "F-SUBNET/": subnet,
	"DNS": dns, "F-DNS/": dns,
	"F-ID/":   `(?P<fid>\S+)`,
	"F-PORT/": `(?P<fport>\w+)`,
}

// Groups that say who is to be banned, and one that says which lines belong
// together.
var idGroups = []string{"fid", "ip4", "ip6", "dns", "mlfid"}

var (
	anyTag   = regexp.MustCompile(`</?[\pL\pN_\-]+/?>`)
	fieldTag = regexp.MustCompile(`^(/?)F-([A-Z0-9_-]+)$`)
	// A global flag at the beginning of a group holds for the group.
	groupFlags = regexp.MustCompile(`(^|[^\\])\((?:\?:)?(\(\?[a-z]+)\)`)
	// alt_user_1 is another user; tuple_id_1 is a further part of the id.
	merged = regexp.MustCompile(`^(alt_|tuple_)(.*?)(?:_\d+)?$`)
)

// An expr is one expression of a filter.
type expr struct {
	*pattern.Pattern
	names  []string // by group
	skips  []int    // groups of <SKIPLINES>
	alts   []merge
	tuples []merge
	plain  bool // neither alts nor tuples
}

// merge puts what a group has found to a field.
type merge struct {
	group int
	name  string
	field string
}

// newExpr compiles an expression with tags.
func newExpr(text string, useDNS string, multiline bool) (*expr, error) {
	resolved := resolveTags(text, useDNS)
	if strings.TrimSpace(resolved) == "" {
		return nil, errors.New("an expression is empty")
	}
	resolved = groupFlags.ReplaceAllString(resolved, "$1$2:")
	p, err := pattern.Compile(resolved, multiline)
	if err != nil {
		return nil, err
	}
	e := &expr{Pattern: p, names: p.Names()}
	for group, name := range e.names {
		if strings.HasPrefix(name, "skiplines") {
			e.skips = append(e.skips, group)
		}
		e.merge(group, name)
	}
	e.plain = len(e.alts)+len(e.tuples) == 0
	for _, list := range [][]merge{e.alts, e.tuples} {
		sort.Slice(list, func(i, j int) bool { return list[i].name < list[j].name })
	}
	return e, nil
}

func (e *expr) merge(group int, name string) {
	m := merged.FindStringSubmatch(name)
	if m == nil || len(name) <= len("alt_") {
		return
	}
	to := merge{group, name, fieldName(m[2])}
	if m[1] == "alt_" {
		e.alts = append(e.alts, to)
	} else {
		e.tuples = append(e.tuples, to)
	}
}

// identifies reports whether the expression has a group that says who it was.
func (e *expr) identifies() bool {
	return slices.ContainsFunc(e.names, func(name string) bool { return slices.Contains(idGroups, name) })
}

// fieldName is the name of the group of a tag <F-…>.
func fieldName(tag string) string {
	switch tag = strings.ToLower(tag); tag {
	case "id":
		return "fid"
	case "port":
		return "fport"
	}
	return tag
}

// resolveTags puts expressions in the place of tags.
func resolveTags(text, useDNS string) string {
	open := map[string]bool{}
	lines := 0
	return anyTag.ReplaceAllStringFunc(text, func(tag string) string {
		name := tag[1 : len(tag)-1]
		switch {
		case name == "HOST" && useDNS == "no":
			return addr
		case name == "HOST":
			return host
		case name == "SKIPLINES":
			lines++
			return fmt.Sprintf(`\n(?P<skiplines%d>(?:(?:.*\n)*?))`, lines-1)
		case hostTags[name] != "":
			return hostTags[name]
		}
		m := fieldTag.FindStringSubmatch(name)
		switch {
		case m == nil, m[1] == "/" && !open[m[2]]:
			return tag
		case m[1] == "/":
			return ")"
		}
		open[m[2]] = true
		return "(?P<" + fieldName(m[2]) + ">"
	})
}
