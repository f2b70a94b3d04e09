package date

import (
	"regexp"
	"strings"
	"sync"
)

// forms are the dates that are known without any date pattern, in the order in
// which they are tried: ISO 8601 and the like, asctime, then what single programs
// write.
var forms = []string{
	`%ExY(?P<_sep>[-/.])%m(?P=_sep)%d(?:T|  ?)%H:%M:%S(?:[.,]%f)?(?:\s*%z)?`,
	`(?:%a )?%b %d %k:%M:%S(?:\.%f)?(?: %ExY)?`,
	`(?:%a )?%b %d %ExY %k:%M:%S(?:\.%f)?`,
	`%d(?P<_sep>[-/])%m(?P=_sep)(?:%ExY|%Exy) %k:%M:%S`,
	`%d(?P<_sep>[-/])%b(?P=_sep)%ExY[ :]?%H:%M:%S(?:\.%f)?(?: %z)?`,
	`%m/%d/%ExY:%H:%M:%S`,
	`%m-%d-%ExY %k:%M:%S(?:\.%f)?`,
	`EPOCH`,
	`{^LN-BEG}%H:%M:%S`,
	`^<%m/%d/%Exy@%H:%M:%S>`,
	`%Exy%Exm%Exd  ?%H:%M:%S`,
	`%b %d, %ExY %I:%M:%S %p`,
	`^%b-%d-%Exy %k:%M:%S`,
	`%ExY%Exm%Exd(?:T|  ?)%ExH%ExM%ExS(?:[.,]%f)?(?:\s*%z)?`,
	`(?:%Z )?(?:%a )?%b %d %k:%M:%S(?:\.%f)?(?: %ExY)?`,
	`(?:%z )?(?:%a )?%b %d %k:%M:%S(?:\.%f)?(?: %ExY)?`,
	`TAI64N`,
}

// plain are the known forms, anywhere in a line.
var plain = sync.OnceValue(func() []*template {
	all := make([]*template, len(forms))
	for i, form := range forms {
		all[i] = must(parseTemplate(form))
	}
	return all
})

// usual are the forms that are tried without a date pattern: first all of them at
// the beginning of a line, then anywhere.
var usual = sync.OnceValue(func() []*template {
	var first []*template
	for i, t := range plain() {
		if strings.HasPrefix(t.name, atLine) || strings.HasPrefix(t.name, "^") {
			continue
		}
		anchored := must(parseTemplate(atLine + forms[i]))
		anchored.weight = 100
		first = append(first, anchored)
	}
	return append(first, plain()...)
})

func must(t *template, err error) *template {
	if err != nil {
		panic(err)
	}
	return t
}

var dateTag = regexp.MustCompile(`(?i)(^|[^\\])\{DATE\}`)

// around are the known forms, each within a pattern in place of {DATE}.
func around(frame string) ([]*template, error) {
	var all []*template
	for _, form := range plain() {
		text := form.pattern
		if text == "" {
			text = form.name
		}
		text = strings.TrimPrefix(strings.TrimPrefix(text, unbound), atLine)
		wrapped := dateTag.ReplaceAllStringFunc(frame, func(m string) string {
			return m[:strings.IndexByte(m, '{')] + text
		})
		t, err := parseTemplate(wrapped)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}
