package rest

import (
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"hostward/internal/act"
	"hostward/internal/core"
)

// harden sets what every answer carries, whoever made it: nothing is kept,
// nothing is guessed, nothing is framed, and no other origin is let in (there
// is no CORS header at all).
func harden(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
}

const (
	reasonHeader = "Hostward-Reason"
	keyHeader    = "Idempotency-Key"
	confirmHead  = "Confirm"
	maxReason    = 1024
	maxKey       = 255
)

// headers reads what the call carries besides its input.
func headers(h http.Header, c *act.Call) error {
	var faults core.Faults
	c.Expect = version(&faults, h.Values("If-Match"))
	c.Key = key(&faults, h.Values(keyHeader))
	c.Reason = reason(&faults, h.Values(reasonHeader))
	c.Confirmed = truth(&faults, confirmHead, h.Values(confirmHead))
	return faults.Err()
}

// version reads If-Match: one entity tag, as ETag gave it. "*" asks for any
// version, and a weak tag matches nothing (RFC 9110 13.1.1).
func version(f *core.Faults, values []string) uint64 {
	if len(values) == 0 || len(values) == 1 && values[0] == "*" {
		return 0
	}
	digits := strings.TrimSuffix(strings.TrimPrefix(values[0], `"`), `"`)
	n, err := strconv.ParseUint(digits, 10, 64)
	if len(values) > 1 || err != nil || n == 0 || values[0] != etag(n) {
		f.Add("If-Match", printable(values[0]), `must be one version as an ETag gave it, such as "7"`)
		return 0
	}
	return n
}

func etag(version uint64) string { return `"` + strconv.FormatUint(version, 10) + `"` }

// key reads Idempotency-Key: a quoted string as in
// draft-ietf-httpapi-idempotency-key-header, or bare as most clients send it.
func key(f *core.Faults, values []string) string {
	if len(values) == 0 {
		return ""
	}
	k := values[0]
	if len(k) > 1 && k[0] == '"' && k[len(k)-1] == '"' {
		k = k[1 : len(k)-1]
	}
	outside := func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }
	if len(values) > 1 || k == "" || len(k) > maxKey || strings.ContainsFunc(k, outside) {
		f.Add(keyHeader, "", "must be one text of 1 to 255 visible ASCII characters")
		return ""
	}
	return k
}

func reason(f *core.Faults, values []string) string {
	text := strings.Join(values, ", ")
	if len(text) > maxReason || !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		f.Add(reasonHeader, "", "must be text in UTF-8 of at most 1024 bytes, without control characters")
		return ""
	}
	return text
}

func truth(f *core.Faults, name string, values []string) bool {
	if len(values) == 0 {
		return false
	}
	if len(values) > 1 || values[0] != "true" && values[0] != "false" {
		f.Add(name, printable(values[0]), "must be true or false, given once")
		return false
	}
	return values[0] == "true"
}

// printable keeps an echoed value free of control characters.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return utf8.RuneError
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}
