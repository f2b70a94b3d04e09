package passkey_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"hostward/internal/adapter/passkey"
)

// answers are one good answer of each ceremony.
func answers(t testing.TB) map[string][]byte {
	d := newDevice(p256Key())
	key := d.register(t)
	return map[string][]byte{
		"webauthn.create": d.create(t, must[json.RawMessage](t)(site().Create(challenge(1), anna(), nil))),
		"webauthn.get":    d.get(t, ask(t, key)),
	}
}

func TestAnAnswerOfEitherKindIsRead(t *testing.T) {
	for kind, answer := range answers(t) {
		c := must[passkey.Claim](t)(passkey.Parse(answer))
		if c.Kind != kind || !bytes.Equal(c.Challenge, challenge(1)) || (c.Handle == nil) != (kind == "webauthn.create") {
			t.Errorf("%+v", c)
		}
	}
}

func TestATruncatedAnswerIsRefused(t *testing.T) {
	for kind, answer := range answers(t) {
		for n := range answer {
			if _, err := passkey.Parse(answer[:n]); !errors.Is(err, passkey.ErrMalformed) {
				t.Fatalf("%s: %d of %d bytes: %v", kind, n, len(answer), err)
			}
		}
	}
}

func TestAnAnswerHas64KiBAtMost(t *testing.T) {
	const most = 64 << 10
	for kind, answer := range answers(t) {
		full := append(answer, bytes.Repeat([]byte(" "), most-len(answer))...)
		if _, err := passkey.Parse(full); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		if _, err := passkey.Parse(append(full, ' ')); !errors.Is(err, passkey.ErrMalformed) {
			t.Errorf("%s and a byte more: %v", kind, err)
		}
	}
	deep := []byte(`{"response":` + strings.Repeat("[", most-20))
	if _, err := passkey.Parse(deep); !errors.Is(err, passkey.ErrMalformed) {
		t.Errorf("brackets: %v", err)
	}
}

// numbered is so many fields of an object.
func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "\"%d\":0,", i)
	}
	return b.String()
}

// Each of these would be read by a lenient parser.
func TestAnAnswerHasOneForm(t *testing.T) {
	id := encode(newDevice(p256Key()).id) // 32 bytes: the last character has two bits to spare
	loose := id[:len(id)-1] + string(id[len(id)-1]+1)
	for kind, answer := range answers(t) {
		for name, c := range map[string][2]string{
			"padding":           {`"rawId":"` + id, `"rawId":"` + id + `=`},
			"loose last bits":   {`"rawId":"` + id, `"rawId":"` + loose},
			"a line end":        {`"rawId":"` + id, `"rawId":"` + id + `\n`},
			"the other base64":  {`"rawId":"` + id, `"rawId":"` + strings.NewReplacer("-", "+", "_", "/").Replace(id)},
			"a field twice":     {`"type":`, `"type":"public-key","type":`},
			"twice, escaped":    {`"type":`, `"t\u0079pe":"public-key","type":`},
			"other case":        {`"rawId":`, `"rawID":`},
			"null":              {`"type":"public-key"`, `"type":null`},
			"no field":          {`"type":"public-key"`, `"kind":"public-key"`},
			"broken UTF-8":      {`"type":"public-key"`, "\"x\":\"\xff\",\"type\":\"public-key\""},
			"another object":    {`{"auth`, `{}{"auth`},
			"a list":            {`{"auth`, `[{"auth`},
			"a comma too many":  {`{"auth`, `{,"auth`},
			"a comment":         {`{"auth`, `{/**/"auth`},
			"no colon":          {`"type":`, `"type"`},
			"numbers as fields": {`"type":`, `1:2,"type":`},
			"too many fields":   {`"type":`, numbered(59) + `"type":`},
		} {
			spoilt := strings.Replace(string(answer), c[0], c[1], 1)
			if spoilt == string(answer) {
				t.Fatalf("%s, %s: nothing to spoil", kind, name)
			}
			if _, err := passkey.Parse([]byte(spoilt)); !errors.Is(err, passkey.ErrMalformed) {
				t.Errorf("%s, %s: %v", kind, name, err)
			}
		}
		if _, err := passkey.Parse(append(bytes.Clone(answer), `{}`...)); !errors.Is(err, passkey.ErrMalformed) {
			t.Errorf("%s, and more: %v", kind, err)
		}
	}
}

// Logs are read by people and programs: what strangers write stays out of them.
func TestErrorsDoNotRepeatWhatStrangersWrite(t *testing.T) {
	const word = "<script>"
	d := newDevice(p256Key())
	key := d.register(t)
	paint := func(name string) bend {
		return bend{client: func(c map[string]any) { c[name] = word }, json: func(outer, inner map[string]any) {
			for _, m := range []map[string]any{outer, inner} {
				if _, ok := m[name]; ok {
					m[name] = word
				}
			}
		}}
	}
	for _, name := range []string{"id", "rawId", "type", "response", "clientDataJSON", "challenge", "crossOrigin", "tokenBinding", "authenticatorData",
		"signature", "userHandle", "attestationObject", "transports", "clientExtensionResults"} {
		_, _, err := site().Answer(challenge(1), key, anna().Handle, true, d.get(t, ask(t, key), paint(name)))
		_, other := site().Created(challenge(1), d.create(t, must[json.RawMessage](t)(site().Create(challenge(1), anna(), nil)), paint(name)))
		if err == nil && other == nil {
			t.Errorf("%s is not looked at", name)
		}
		if text := errors.Join(err, other).Error(); strings.Contains(text, "script") {
			t.Errorf("%s: %s", name, text)
		}
	}
}

func TestAWrongOriginIsQuotedAndCut(t *testing.T) {
	d := newDevice(p256Key())
	key := d.register(t)
	origin := "https://evil.example\n\u202e" + strings.Repeat("é", 100)
	answer := d.get(t, ask(t, key), bend{client: func(c map[string]any) { c["origin"] = origin }})
	_, _, err := site().Answer(challenge(1), key, anna().Handle, true, answer)
	if !errors.Is(err, passkey.ErrOrigin) || !strings.Contains(err.Error(), `"https://evil.example\n\u202e\u00e9`) || len(err.Error()) > 300 {
		t.Errorf("%v", err)
	}
}
