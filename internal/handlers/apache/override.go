package apache

import (
	"slices"
	"strings"
)

// Policy is what .htaccess may not do any more.
type Policy struct {
	// Rewrite leaves RewriteRule allowed, which most sites need. Its flags H, T and P
	// can name a handler too: Site.Remains tells who uses them.
	Rewrite bool
	// Exceptions are folders that keep what they had, with all below.
	Exceptions []string
}

// Allowed is what .htaccess may do in a folder.
type Allowed struct {
	Classes  []string // of AuthConfig, FileInfo, Indexes, Limit, Options
	Options  []string // which; nil: all of them
	Nonfatal []string
	List     []string // single directives besides (AllowOverrideList)
}

var classes = []string{"AuthConfig", "FileInfo", "Indexes", "Limit", "Options"}

// scripts are the options that make Apache run programs of the folder.
var scripts = []string{"execcgi", "includes", "all"}

// harmless are all other options.
var harmless = []string{"Indexes", "IncludesNOEXEC", "FollowSymLinks", "SymLinksIfOwnerMatch", "MultiViews"}

// override reads the arguments of AllowOverride.
func (a Allowed) override(args []string) Allowed {
	out := Allowed{List: a.List}
	for _, arg := range args {
		name, value, with := strings.Cut(arg, "=")
		switch i := slices.IndexFunc(classes, func(c string) bool { return strings.EqualFold(c, name) }); {
		case strings.EqualFold(name, "All"):
			out.Classes = slices.Clone(classes)
		case strings.EqualFold(name, "Nonfatal"):
			out.Nonfatal = append(out.Nonfatal, value)
		case i >= 0 && !slices.Contains(out.Classes, classes[i]):
			out.Classes = append(out.Classes, classes[i])
		}
		if strings.EqualFold(name, "Options") {
			out.Options = nil
			if with {
				out.Options = strings.Split(value, ",")
			}
		}
	}
	slices.Sort(out.Classes)
	return out
}

// list reads the arguments of AllowOverrideList.
func (a Allowed) list(args []string) Allowed {
	a.List = nil
	if len(args) != 1 || !strings.EqualFold(args[0], "None") {
		a.List = slices.Clone(args)
	}
	return a
}

func (a Allowed) may(class string) bool { return slices.Contains(a.Classes, class) }

// listed reports whether a single directive is allowed by name.
func (a Allowed) listed(name string) bool {
	return slices.ContainsFunc(a.List, func(l string) bool { return strings.EqualFold(l, name) })
}

// quiet reports that forbidden lines are no error.
func (a Allowed) quiet() bool {
	return slices.ContainsFunc(a.Nonfatal, func(n string) bool { return strings.EqualFold(n, "Override") || strings.EqualFold(n, "All") })
}

// nothing reports that .htaccess is not even read.
func (a Allowed) nothing() bool { return len(a.Classes) == 0 && len(a.List) == 0 }

// scripts returns which options that run programs are allowed.
func (a Allowed) scripts() (out []string) {
	if !a.may("Options") && !a.listed("Options") {
		return nil
	}
	if a.Options == nil {
		return []string{"ExecCGI", "Includes"}
	}
	for _, o := range a.Options {
		if slices.Contains(scripts, strings.ToLower(o)) {
			out = append(out, o)
		}
	}
	return out
}

// Loose says what a policy would take away here; nil: it holds.
func (a Allowed) Loose(p Policy) []string { return append(a.looseClasses(), a.looseList(p)...) }

// looseClasses is what AllowOverride brings of it.
func (a Allowed) looseClasses() (out []string) {
	if a.may("FileInfo") {
		out = append(out, "handlers (FileInfo)")
	}
	if o := a.scripts(); o != nil && a.may("Options") {
		out = append(out, "Options "+strings.Join(o, " "))
	}
	return out
}

// looseList is what AllowOverrideList brings of it.
func (a Allowed) looseList(p Policy) (out []string) {
	for _, name := range a.List {
		if p.withheld(name) || strings.EqualFold(name, "Options") && a.scripts() != nil && !a.may("Options") {
			out = append(out, name)
		}
	}
	return out
}

// Under is what is left under a policy.
func (a Allowed) Under(p Policy, modules Modules) Allowed {
	out := Allowed{Nonfatal: a.Nonfatal, Options: a.Options}
	for _, c := range a.Classes {
		if c != "FileInfo" {
			out.Classes = append(out.Classes, c)
		}
	}
	if a.scripts() != nil {
		out.Options = slices.DeleteFunc(slices.Clone(harmless), func(h string) bool {
			return a.Options != nil && !slices.ContainsFunc(a.Options, func(o string) bool {
				return strings.EqualFold(o, h) || strings.EqualFold(o, "All") || strings.EqualFold(o, "Includes") && h == "IncludesNOEXEC"
			})
		})
	}
	for _, name := range a.List {
		if !p.withheld(name) && (!strings.EqualFold(name, "Options") || a.may("Options")) {
			out.List = append(out.List, name)
		}
	}
	if a.may("FileInfo") {
		out.List = append(out.List, p.fileInfo(modules, len(out.Classes) == 0)...)
	}
	slices.Sort(out.List)
	out.List = slices.Compact(out.List)
	return out
}

// String returns it as the two directives that say all of it.
func (a Allowed) String() string { return a.over() + "\n" + a.only() }

// only is the directive about single directives.
func (a Allowed) only() string { return "AllowOverrideList " + orNone(a.List) }

// over is the directive about classes.
func (a Allowed) over() string {
	var over []string
	for _, c := range a.Classes {
		if c == "Options" && a.Options != nil {
			c += "=" + strings.Join(a.Options, ",")
			if len(a.Options) == 0 {
				c += "None"
			}
		}
		over = append(over, c)
	}
	for _, n := range a.Nonfatal {
		over = append(over, "Nonfatal="+n)
	}
	return "AllowOverride " + orNone(over)
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "None"
	}
	return strings.Join(list, " ")
}
