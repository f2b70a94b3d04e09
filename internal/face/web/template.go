package web

import (
	"errors"
	"html/template"
)

// templates parses the shell and the components. Pages are clones of this set
// with their own file in it.
func (f *Face) templates() (*template.Template, error) {
	return template.New("").Funcs(words).ParseFS(files, "template/*.html")
}

// words are the functions that every template has.
var words = template.FuncMap{
	"badge": badge, "tone": tone, "icon": icon, "when": when, "precise": precise, "day": day, "ago": ago, "span": span,
	"code": code, "verbatim": verbatim, "count": count, "size": size, "plural": plural, "human": human, "upper": upper, "clip": clip, "plain": plain,
	"dict": dict, "append": func(bars []Bar, b Bar) []Bar { return append(bars, b) },
	"fingerprint": grouped,
}

// dict makes a map of names and values, for a template that takes several.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, errors.New("dict takes names and values in pairs")
	}
	m := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		m[plain(pairs[i])] = pairs[i+1]
	}
	return m, nil
}

// grouped shows the first characters of a hash in groups that an eye can compare.
func grouped(hash string) string {
	var out []rune
	for i, r := range hash {
		if i == 16 {
			break
		}
		if i > 0 && i%4 == 0 {
			out = append(out, ' ')
		}
		out = append(out, r)
	}
	return string(out)
}
