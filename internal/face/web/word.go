package web

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const hour = time.Hour

var initials = map[string]string{
	"ttl": "TTL", "dns": "DNS", "ip": "IP", "id": "ID", "url": "URL", "soa": "SOA", "ns": "NS", "tsig": "TSIG",
	"dnssec": "DNSSEC", "api": "API", "mfa": "MFA", "totp": "TOTP", "mx": "MX", "rdata": "Data", "ds": "DS", "ipv6": "IPv6", "ipv4": "IPv4", "ip6": "IPv6", "ip4": "IPv4",
}

// human makes words of a name: "defaultTTL" and "default_ttl" are "Default TTL".
func human(name string) string {
	if strings.Contains(name, ". ") { // the key of an RRset: "www.example.org. A"
		return name
	}
	var words []string
	var word strings.Builder
	flush := func() {
		if word.Len() > 0 {
			words = append(words, word.String())
			word.Reset()
		}
	}
	lower := false
	for _, r := range name {
		if r == '_' || r == '-' || r == '.' || unicode.IsSpace(r) {
			flush()
			lower = false
			continue
		}
		if unicode.IsUpper(r) && lower {
			flush()
		}
		lower = !unicode.IsUpper(r)
		word.WriteRune(unicode.ToLower(r))
	}
	flush()
	for i, w := range words {
		if full, ok := initials[w]; ok {
			words[i] = full
		}
	}
	return upper(strings.Join(words, " "))
}

func upper(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	return string(unicode.ToUpper(r)) + s[n:]
}

// headline is the first thought of a doc sentence: "Create an account; nobody
// can log in to it before it is invited." is "Create an account".
func headline(doc string) string {
	if i := strings.IndexAny(doc, ";:,"); i > 0 {
		doc = doc[:i]
	}
	return upper(strings.TrimSuffix(strings.TrimSpace(doc), "."))
}

func lower(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	return string(unicode.ToLower(r)) + s[n:]
}

// noun is the first part of an operation's name.
func noun(op string) string {
	n, _, _ := strings.Cut(op, ".")
	return n
}

// verb is what the button says: "zone.record.add" is "Add".
func verb(op string) string { return upper(op[strings.LastIndexByte(op, '.')+1:]) }

func or(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// plain is a value as form text.
func plain(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case *string:
		if v == nil {
			return ""
		}
		return *v
	}
	return fmt.Sprint(v)
}

// count writes 48213 as "48 213", with spaces that do not break.
func count(v any) string {
	digits := plain(v)
	if _, err := strconv.ParseInt(digits, 10, 64); err != nil {
		return digits
	}
	var b strings.Builder
	for i, r := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 && digits[i-1] != '-' {
			b.WriteRune('\u202f')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// size writes bytes as "8.2 MB".
func size(v any) string {
	n, err := strconv.ParseFloat(plain(v), 64)
	if err != nil {
		return plain(v)
	}
	for _, unit := range []string{"B", "kB", "MB", "GB"} {
		if n < 1000 {
			return strings.TrimSuffix(strconv.FormatFloat(n, 'f', 1, 64), ".0") + "\u00a0" + unit
		}
		n /= 1000
	}
	return strconv.FormatFloat(n, 'f', 1, 64) + "\u00a0TB"
}

// plural writes 1 "zone" as "1 zone", 2 as "2 zones".
func plural(v any, one string, many ...string) string {
	if plain(v) == "1" {
		return "1\u00a0" + one
	}
	if len(many) == 0 {
		many = []string{one + "s"}
	}
	return count(v) + "\u00a0" + many[0]
}

// moment accepts what features keep times as.
func moment(v any) (time.Time, bool) {
	switch v := v.(type) {
	case time.Time:
		return v.UTC(), !v.IsZero()
	case *time.Time:
		if v != nil {
			return v.UTC(), !v.IsZero()
		}
	case string:
		t, err := time.Parse(time.RFC3339Nano, v)
		return t.UTC(), err == nil
	}
	return time.Time{}, false
}

// when is a time in UTC; the browser adds its local time as a tooltip.
func when(v any) template.HTML { return timeTag(v, `<span class="soft">2006-01-02</span> 15:04:05`) }

// precise is when with microseconds, as the log keeps them.
func precise(v any) template.HTML { return timeTag(v, "2006-01-02 15:04:05.000000 UTC") }

// day is a date in UTC.
func day(v any) template.HTML { return timeTag(v, "2006-01-02") }

func timeTag(v any, layout string) template.HTML {
	t, ok := moment(v)
	if !ok {
		return `<span class="soft">never</span>`
	}
	return template.HTML(`<time datetime="` + t.Format(time.RFC3339Nano) + `">` + t.Format(layout) + `</time>`)
}

// span is a duration in its largest unit: "3 min".
func span(d time.Duration) string {
	switch d = d.Abs(); {
	case d < time.Minute:
		return fmt.Sprintf("%d\u00a0s", int(d/time.Second))
	case d < time.Hour:
		return fmt.Sprintf("%d\u00a0min", int(d/time.Minute))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d\u00a0h", int(d/time.Hour))
	}
	return fmt.Sprintf("%d\u00a0days", int(d/(24*time.Hour)))
}

// ago is how long before now the time was: {{ago .Now .Sealed}}.
func ago(now time.Time, v any) template.HTML {
	t, ok := moment(v)
	if !ok {
		return `<span class="soft">never</span>`
	}
	text := span(now.Sub(t)) + " ago"
	switch d := t.Sub(now); {
	case d > time.Second:
		text = "in " + span(d)
	case d > -2*time.Second:
		text = "just now"
	}
	return template.HTML(`<time datetime="` + t.Format(time.RFC3339Nano) + `">` + text + `</time>`)
}

// tones gives the words of state their colour and shape. A word that is not
// here is shown plainly.
var tones = map[string][2]string{
	"in force": {"good", "check"}, "done": {"good", "check"}, "active": {"good", "check"}, "served": {"good", "check"}, "proved": {"good", "check"},
	"valid": {"good", "check"}, "witnessed": {"good", "ring2"}, "sealed": {"good", "ring"}, "committed": {"wait", "dot"},
	"pending": {"wait", "wait"}, "unchanged": {"", "same"}, "preview": {"calm", "eye"}, "read": {"calm", "eye"},
	"drift": {"bad", "warn"}, "refused": {"wait", "no"}, "failed": {"bad", "cross"}, "denied": {"wait", "no"},
	"signed": {"good", "key"}, "sound": {"good", "check"}, "weak": {"wait", "warn"}, "broken": {"bad", "warn"}, "changing": {"wait", "wait"}, "leaving": {"wait", "wait"}, "unsigned": {"", "no"},
	"awaiting confirmation": {"wait", "wait"}, "unknown": {"wait", "warn"}, "not under control": {"", "no"},
	"disabled": {"", "no"}, "locked": {"bad", "lock"}, "expired": {"bad", "clock"}, "altered": {"bad", "warn"},
	"followed": {"good", "check"}, "combined": {"good", "check"}, "spare": {"", "same"}, "wrong": {"bad", "warn"}, "unsteady": {"wait", "warn"},
	"unreachable": {"bad", "cross"}, "no address": {"bad", "cross"}, "not used": {"wait", "wait"},
	"banned": {"wait", "no"}, "banned again": {"bad", "no"}, "widened": {"bad", "no"}, "spared": {"calm", "eye"}, "runs": {"good", "check"}, "off": {"", "no"},
	"supported, a person decides": {"calm", "eye"}, "not covered": {"", "no"},
}

func tone(word any) string { return tones[strings.ToLower(plain(word))][0] }

// badge shows a word of state: never by colour alone, always shape and word.
func badge(word any) template.HTML {
	text := plain(word)
	if text == "" {
		return ""
	}
	t := tones[strings.ToLower(text)]
	if t[1] == "" {
		t[1] = "dot"
	}
	return template.HTML(`<span class="tag `+t[0]+`">`) + icon(t[1]) + template.HTML(template.HTMLEscapeString(text)+`</span>`)
}

// code shows text that people copy.
func code(v any) template.HTML {
	return template.HTML(`<span class="copy"><code>`+template.HTMLEscapeString(plain(v))+`</code>`) + copyButton + `</span>`
}

// verbatim shows several lines that people copy.
func verbatim(v any) template.HTML {
	return template.HTML(`<div class="copy"><pre tabindex="0">`+template.HTMLEscapeString(plain(v))+`</pre>`) + copyButton + `</div>`
}

const copyButton template.HTML = `<button type="button" class="ghost small icon later" data-copy aria-label="Copy"><svg class="i" viewBox="0 0 16 16" aria-hidden="true"><path d="M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z"/></svg></button>`

// clip cuts text for a narrow column.
func clip(n int, v any) string {
	r := []rune(plain(v))
	if len(r) <= n {
		return string(r)
	}
	return string(r[:n]) + "…"
}
