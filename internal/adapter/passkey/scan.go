package passkey

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"strings"
	"unicode/utf8"
)

// members are those of one JSON object. encoding/json folds the case of names
// and lets the last of two win, so that another reader may see another object;
// here names are what they are, and each is there once.
type members map[string]json.RawMessage

const maxMembers = 64 // of one object; browsers write ten at most

// scan reads members. Its first fault stays.
type scan struct{ err error }

func (s *scan) want(ok bool, what string) {
	if !ok && s.err == nil {
		s.err = malformed("%s is missing or wrong", what)
	}
}

func (s *scan) object(what string, data []byte) members {
	m, ok := object(data)
	s.want(ok, what)
	return m
}

func object(data []byte) (members, bool) {
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') || !utf8.Valid(data) {
		return nil, false
	}
	m := members{}
	for d.More() {
		var value json.RawMessage
		t, err := d.Token()
		if err != nil || d.Decode(&value) != nil {
			return nil, false
		}
		name, _ := t.(string)
		if _, twice := m[name]; twice || len(m) == maxMembers {
			return nil, false
		}
		m[name] = value
	}
	if _, err := d.Token(); err != nil { // the closing brace
		return nil, false
	}
	_, err := d.Token()
	return m, err == io.EOF
}

func (s *scan) text(m members, name string) (text string) {
	raw := m[name]
	s.want(len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &text) == nil, name)
	return text
}

// bytes reads base64url without padding (RFC 4648 5) in the one form it has: Go
// would skip line ends and ignore the last bits. It is never empty.
func (s *scan) bytes(m members, name string) []byte {
	text := s.text(m, name)
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	s.want(err == nil && len(b) > 0 && !strings.ContainsAny(text, "\r\n"), name)
	return b
}

func (s *scan) flag(m members, name string, absent bool) bool {
	switch raw, ok := m[name]; {
	case !ok:
		return absent
	case string(raw) == "true":
		return true
	default:
		s.want(string(raw) == "false", name)
		return false
	}
}

// encode writes what bytes reads.
func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
