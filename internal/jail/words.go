package jail

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"hostward/internal/jail/conf"
)

// option is one of name[a=1, b="x y"][c='z'], and what divides it from the next.
var option = regexp.MustCompile(`^\s*([\w.-]+)=(?:"([^"]*)"|'([^']*)'|([^,\]]*))(?:,|\]\s*\[|$)`)

// splitOptions reads a filter or an action as a jail names it.
func splitOptions(spec string) (name string, options *conf.Options, err error) {
	options = conf.NewOptions()
	name, rest, found := strings.Cut(spec, "[")
	if !found {
		return name, options, nil
	}
	rest = strings.TrimSpace(rest)
	if name == "" || !strings.HasSuffix(rest, "]") {
		return "", nil, errors.New("options stand in brackets behind the name: name[option=value, …]")
	}
	for rest = rest[:len(rest)-1]; strings.Trim(rest, ", \t\n") != ""; {
		m := option.FindStringSubmatch(rest)
		if m == nil {
			return "", nil, fmt.Errorf("%q is not option=value", clipped(rest))
		}
		options.Set(m[1], strings.TrimSpace(m[2]+m[3]+m[4]))
		rest = rest[len(m[0]):]
	}
	return name, options, nil
}

func clipped(s string) string {
	if len(s) > 60 {
		return strings.ToValidUTF8(s[:60], "") + "…"
	}
	return s
}

// action is one of several, with its options, which may go over lines.
var action = regexp.MustCompile(`[^\[\s]+(?:\s*\[\s*(?:[\w.-]+=(?:"[^"]*"|'[^']*'|[^,\]]*)\s*(?:,|\]\s*\[)?\s*)*\])?`)

func splitActions(s string) []string { return action.FindAllString(s, -1) }

// shellWords splits as a shell does: quotes and backslashes protect.
func shellWords(s string) ([]string, error) {
	w := shell{}
	for _, c := range s {
		w.take(c)
	}
	if w.quote != 0 || w.escaped {
		return nil, errors.New("a quotation mark or a backslash is left open")
	}
	w.end()
	return w.words, nil
}

type shell struct {
	words   []string
	word    strings.Builder
	open    bool
	quote   rune
	escaped bool
}

func (w *shell) take(c rune) {
	switch {
	case w.escaped:
		w.escaped = false
		w.put(c)
	case c == '\\' && w.quote != '\'':
		w.escaped, w.open = true, true
	case w.quote == c:
		w.quote = 0
	case w.quote == 0 && (c == '"' || c == '\''):
		w.quote, w.open = c, true
	case w.quote == 0 && strings.ContainsRune(" \t\r\n", c):
		w.end()
	default:
		w.put(c)
	}
}

func (w *shell) put(c rune) {
	w.word.WriteRune(c)
	w.open = true
}

func (w *shell) end() {
	if w.open {
		w.words = append(w.words, w.word.String())
	}
	w.word.Reset()
	w.open = false
}
