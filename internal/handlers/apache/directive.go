package apache

import (
	_ "embed"
	"slices"
	"strings"
)

//go:embed directives.txt
var directives string

// known is what is in directives.txt.
type known struct{ class, module, name string }

func table() (out []known) {
	for l := range strings.Lines(directives) {
		f := strings.Fields(l)
		if l[0] == '#' || len(f) < 3 {
			continue
		}
		for _, name := range f[2:] {
			out = append(out, known{f[0], f[1], name})
		}
	}
	return out
}

// chooses are the directives that say what handles a file. A type is among them
// because Apache takes it for the handler's name where there is no handler.
var chooses = []string{"sethandler", "addhandler", "removehandler", "action", "script", "forcetype", "addtype", "removetype",
	"cgimapextension", "scriptinterpretersource", "luamaphandler", "luaquickhandler"}

// handles reports whether a directive, in lower case, chooses a handler.
func handles(name string) bool {
	return slices.Contains(chooses, name) || strings.HasPrefix(name, "luahook")
}

// withheld reports whether the policy takes a directive out of what a list allows.
func (p Policy) withheld(name string) bool {
	name = strings.ToLower(name)
	return handles(name) || name == "rewriterule" && !p.Rewrite
}

// fileInfo is all that AllowOverride FileInfo stands for with these modules, but
// what the policy withholds. Sections that stand in every class are added if no
// class is left that brings them.
func (p Policy) fileInfo(modules Modules, alone bool) (out []string) {
	for _, k := range table() {
		if (k.class == "FileInfo" || alone && k.class == "All" && k.module != "lua") && modules.loaded(k.module+"_module") && k.module != "isapi" && !p.withheld(k.name) {
			out = append(out, k.name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// classOf returns the classes that allow a directive, and whether it is known.
func classOf(name string) (out []string) {
	for _, k := range table() {
		if strings.EqualFold(k.name, name) {
			out = append(out, k.class)
		}
	}
	return out
}

// Modules are the modules that are loaded, as Apache names them: rewrite_module.
type Modules []string

func (m Modules) loaded(name string) bool { return slices.Contains(m, name) }

// has answers <IfModule>, which takes the name in LoadModule or that of the source.
func (m Modules) has(name string) bool {
	if source, ok := strings.CutSuffix(strings.ToLower(name), ".c"); ok {
		source = strings.TrimPrefix(source, "mod_")
		switch source {
		case "event", "worker", "prefork":
			source = "mpm_" + source
		case "http_core":
			source = "http"
		}
		name = source + "_module"
	}
	return m.loaded(name)
}
