package web

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"slices"
	"strings"
)

// templates parses the shell and the components. Pages are clones of this set
// with their own file in it.
func (f *Face) templates() (*template.Template, error) {
	return template.New("").Funcs(words).ParseFS(files, "template/*.html")
}

// words are the functions that every template has.
var words = template.FuncMap{
	"badge": badge, "tone": tone, "icon": icon, "when": when, "precise": precise, "day": day, "ago": ago, "span": span,
	"code": code, "verbatim": verbatim, "count": count, "size": size, "plural": plural, "human": human, "upper": upper, "lower": lower, "headline": headline, "clip": clip, "plain": plain,
	"dict": dict, "append": collect,
	"fingerprint": grouped, "weave": weave, "qr": qrCode, "has": slices.Contains[[]string], "list": func(words ...string) []string { return words },
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
func grouped(hash string) template.HTML {
	var b strings.Builder
	for i := 0; i+4 <= min(len(hash), 16); i += 4 {
		b.WriteString("<span>" + template.HTMLEscapeString(hash[i:i+4]) + "</span> ")
	}
	return template.HTML(b.String())
}

// weave draws a hash, so that a person sees at a glance whether two are the
// same: each half byte is one thread, as long as its value is large.
func weave(hash string) template.HTML {
	const threads, gap = 24, 8
	sum, err := hex.DecodeString(hash)
	if err != nil { // checkpoints write it in base64 (C2SP tlog-checkpoint)
		sum, err = base64.StdEncoding.DecodeString(hash)
	}
	if err != nil || len(sum) < threads/2 {
		return ""
	}
	var d strings.Builder
	for i := range threads {
		half := 1 + .6*float64(sum[i/2]>>(4*(1-i%2))&15)
		fmt.Fprintf(&d, "M%d %.1fv%.1f", 4+i*gap, 10-half, 2*half)
	}
	return template.HTML(fmt.Sprintf(`<svg class="weave" viewBox="0 0 %d 20" preserveAspectRatio="none" aria-hidden="true"><path class="base" d="M0 10h%d"/><path d="%s"/></svg>`, threads*gap, threads*gap, d.String()))
}
