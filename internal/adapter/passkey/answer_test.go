package passkey_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hostward/internal/adapter/passkey"
)

func TestAProofIsAskedForAsTheSpecificationSays(t *testing.T) {
	allow := []passkey.Key{{ID: []byte("first"), Party: "panel.example.org", Transports: []string{"usb"}}, {ID: []byte("lost"), Party: "old.example.org"}}
	one := []any{map[string]any{"type": "public-key", "id": encode([]byte("first")), "transports": []any{"usb"}}}
	question := func(verification string, allow any) map[string]any {
		q := map[string]any{"challenge": encode(challenge(1)), "timeout": 300000.0, "rpId": "panel.example.org", "userVerification": verification}
		if allow != nil {
			q["allowCredentials"] = allow
		}
		return q
	}
	for _, c := range []struct {
		ask  func() (json.RawMessage, error)
		want map[string]any
	}{
		{func() (json.RawMessage, error) { return site().Ask(challenge(1), allow, true) }, question("required", one)},
		{func() (json.RawMessage, error) { return site().Ask(challenge(1), allow, false) }, question("preferred", one)},
		{func() (json.RawMessage, error) { return site().AskAny(challenge(1)) }, question("required", nil)},
	} {
		var got map[string]any
		if err := json.Unmarshal(must[json.RawMessage](t)(c.ask()), &got); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Error(d)
		}
	}
}

func TestAPasskeyOfEveryAlgorithmLogsIn(t *testing.T) {
	for name, signer := range signers() {
		t.Run(name, func(t *testing.T) {
			d := newDevice(signer)
			key := d.register(t)
			for range 3 {
				next, verified, err := site().Answer(challenge(1), key, anna().Handle, true, d.get(t, ask(t, key)))
				if err != nil || !verified {
					t.Fatalf("verified %t: %v", verified, err)
				}
				key.Count++
				if d := cmp.Diff(key, next); d != "" {
					t.Error(d)
				}
			}
		})
	}
}

func TestALogInWithoutANameFindsItsUser(t *testing.T) {
	d := newDevice(ed25519Key())
	key := d.register(t)
	answer := d.get(t, must[json.RawMessage](t)(site().AskAny(challenge(1))))
	got := must[passkey.Claim](t)(passkey.Parse(answer))
	want := passkey.Claim{Challenge: challenge(1), KeyID: key.ID, Handle: anna().Handle, Origin: "https://panel.example.org:8443", Kind: "webauthn.get"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if _, verified, err := site().Answer(got.Challenge, key, got.Handle, true, answer); err != nil || !verified {
		t.Errorf("verified %t: %v", verified, err)
	}
}

func TestWhatMayDifferInALogInMayDiffer(t *testing.T) {
	for name, b := range map[string]bend{
		"no user handle":          {json: func(_, inner map[string]any) { delete(inner, "userHandle") }},
		"a user handle of null":   {json: func(_, inner map[string]any) { inner["userHandle"] = nil }},
		"the second origin":       {client: func(c map[string]any) { c["origin"] = site().Origins[1] }},
		"a client that says more": {client: func(c map[string]any) { c["other_keys_can_be_added_here"] = map[string]any{"type": "x"} }},
		"token binding":           {client: func(c map[string]any) { c["tokenBinding"] = map[string]any{"status": "supported"} }},
		"extensions not asked for": {data: func(a *data) { a.flags |= extended; a.extensions = map[string]any{"uvm": []any{}} },
			json: func(outer, _ map[string]any) { outer["clientExtensionResults"] = map[string]any{"appid": false} }},
		"extra fields": {json: func(outer, inner map[string]any) { outer["x"], inner["x"], inner["Signature"] = 1, []int{2}, "other" }},
	} {
		d := newDevice(p256Key())
		key := d.register(t)
		if _, _, err := site().Answer(challenge(1), key, anna().Handle, true, d.get(t, ask(t, key), b)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhetherTheUserWasVerifiedIsTold(t *testing.T) {
	d := newDevice(p256Key())
	key := d.register(t)
	for _, want := range []bool{true, false} {
		b := bend{data: func(a *data) {
			if !want {
				a.flags &^= verified
			}
		}}
		next, got, err := site().Answer(challenge(1), key, anna().Handle, false, d.get(t, ask(t, key), b))
		if err != nil || got != want {
			t.Errorf("verified %t, want %t: %v", got, want, err)
		}
		key = next
	}
}

func TestAPasskeyThatIsCopiedLaterIsKeptAsSuch(t *testing.T) {
	d := newDevice(p256Key())
	d.flags |= eligible
	key := d.register(t)
	d.flags |= synced
	next, _, err := site().Answer(challenge(1), key, anna().Handle, true, d.get(t, ask(t, key)))
	if err != nil || !next.Synced || !next.Backup {
		t.Errorf("%+v: %v", next, err)
	}
}

func TestAnAuthenticatorWithoutACounterLogsInAgainAndAgain(t *testing.T) {
	d := newDevice(p256Key())
	d.step = 0
	key := d.register(t)
	for range 2 {
		next, _, err := site().Answer(challenge(1), key, anna().Handle, true, d.get(t, ask(t, key)))
		if err != nil || next.Count != 0 {
			t.Fatalf("%d: %v", next.Count, err)
		}
		key = next
	}
}

type bad struct {
	bend
	want error
}

// badLogIns are answers that let nobody in, each with one thing wrong.
func badLogIns() map[string]bad {
	client := func(name string, v any) bend { return bend{client: func(c map[string]any) { c[name] = v }} }
	inner := func(name string, v any) bend { return bend{json: func(_, inner map[string]any) { inner[name] = v }} }
	outer := func(name string, v any) bend { return bend{json: func(outer, _ map[string]any) { outer[name] = v }} }
	auth := func(f func(*data)) bend { return bend{data: f} }
	signed := func(f func(m []byte) []byte) bend { return bend{sign: f} }
	return map[string]bad{
		"another site":             {client("origin", "https://panel.example.net:8443"), passkey.ErrOrigin},
		"another port":             {client("origin", "https://panel.example.org:8444"), passkey.ErrOrigin},
		"another scheme":           {client("origin", "http://panel.example.org:8443"), passkey.ErrOrigin},
		"an origin in capitals":    {client("origin", "https://PANEL.example.org:8443"), passkey.ErrOrigin},
		"an origin with a path":    {client("origin", "https://panel.example.org:8443/"), passkey.ErrOrigin},
		"an origin with a port":    {client("origin", "https://panel.example.org:443"), passkey.ErrOrigin},
		"no origin":                {client("origin", nil), passkey.ErrMalformed},
		"a very long origin":       {client("origin", "https://"+strings.Repeat("a", 600)), passkey.ErrMalformed},
		"inside another site":      {client("crossOrigin", true), passkey.ErrOrigin},
		"perhaps inside":           {client("crossOrigin", "no"), passkey.ErrMalformed},
		"below another site":       {client("topOrigin", "https://panel.example.org:8443"), passkey.ErrOrigin},
		"another challenge":        {client("challenge", encode(challenge(2))), passkey.ErrChallenge},
		"half a challenge":         {client("challenge", encode(challenge(1)[:32])), passkey.ErrChallenge},
		"a very short challenge":   {client("challenge", encode(challenge(1)[:31])), passkey.ErrMalformed},
		"a padded challenge":       {client("challenge", encode(challenge(1)[:32])+"="), passkey.ErrMalformed},
		"another ceremony":         {client("type", "payment.get"), passkey.ErrMalformed},
		"a ceremony of new keys":   {client("type", "webauthn.create"), passkey.ErrMalformed},
		"a broken token binding":   {client("tokenBinding", map[string]any{"status": "x"}), passkey.ErrMalformed},
		"a field by another case":  {client("croſsOrigin", true), passkey.ErrMalformed}, // encoding/json folds the long s
		"another party":            {auth(func(a *data) { a.party = "example.org" }), passkey.ErrParty},
		"nobody there":             {auth(func(a *data) { a.flags &^= present }), passkey.ErrAbsent},
		"not verified":             {auth(func(a *data) { a.flags &^= verified }), passkey.ErrUnverified},
		"copied but not copyable":  {auth(func(a *data) { a.flags |= synced }), passkey.ErrMalformed},
		"copyable all at once":     {auth(func(a *data) { a.flags |= eligible }), passkey.ErrBackup},
		"the count of last time":   {auth(func(a *data) { a.count = 5 }), passkey.ErrCloned},
		"an older count":           {auth(func(a *data) { a.count = 1 }), passkey.ErrCloned},
		"a count that is gone":     {auth(func(a *data) { a.count = 0 }), passkey.ErrCloned},
		"bytes behind":             {auth(func(a *data) { a.behind = []byte{0} }), passkey.ErrMalformed},
		"extensions behind":        {auth(func(a *data) { a.flags |= extended; a.extensions = map[string]any{}; a.behind = []byte{0} }), passkey.ErrMalformed},
		"extensions that are none": {auth(func(a *data) { a.flags |= extended; a.extensions = []int{1} }), passkey.ErrMalformed},
		"another passkey's ID":     {auth(func(a *data) { a.id = []byte("other") }), passkey.ErrKey},
		"another user's handle":    {inner("userHandle", encode([]byte("bert"))), passkey.ErrKey},
		"another key's signature":  {signed(func(m []byte) []byte { return sign(ed25519Key(), m) }), passkey.ErrSignature},
		"a signature bit flipped":  {signed(func(m []byte) []byte { s := sign(p256Key(), m); s[len(s)-1] ^= 1; return s }), passkey.ErrSignature},
		"a signature and more":     {signed(func(m []byte) []byte { return append(sign(p256Key(), m), 0) }), passkey.ErrSignature},
		"signed something else":    {signed(func(m []byte) []byte { return sign(p256Key(), m[1:]) }), passkey.ErrSignature},
		"no signature":             {inner("signature", ""), passkey.ErrMalformed},
		"much data":                {auth(func(a *data) { a.flags |= extended; a.extensions = map[string]any{"x": make([]byte, 8<<10)} }), passkey.ErrMalformed},
		"short data":               {inner("authenticatorData", encode(make([]byte, 36))), passkey.ErrMalformed},
		"an empty handle":          {inner("userHandle", ""), passkey.ErrMalformed},
		"a long handle":            {inner("userHandle", encode(make([]byte, 65))), passkey.ErrMalformed},
		"a handle of numbers":      {inner("userHandle", 5), passkey.ErrMalformed},
		"another client data":      {inner("clientDataJSON", encode([]byte(`[]`))), passkey.ErrMalformed},
		"another type":             {outer("type", "password"), passkey.ErrMalformed},
		"two IDs":                  {outer("id", "AAAA"), passkey.ErrMalformed},
		"no ID":                    {outer("id", nil), passkey.ErrMalformed},
		"no response":              {outer("response", "x"), passkey.ErrMalformed},
	}
}

func TestABadAnswerLetsNobodyIn(t *testing.T) {
	d := newDevice(p256Key())
	d.count = 5
	key := d.register(t)
	for name, c := range badLogIns() {
		d.count = 5
		next, verified, err := site().Answer(challenge(1), key, anna().Handle, true, d.get(t, ask(t, key), c.bend))
		if !errors.Is(err, c.want) || next.ID != nil || verified {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// Whoever has no key must not be able to raise the alarm of a copied one.
func TestNobodyRaisesAnAlarmWithoutTheKey(t *testing.T) {
	d := newDevice(p256Key())
	d.count = 5
	key := d.register(t)
	for name, b := range map[string]bend{
		"an old count":  {data: func(a *data) { a.count = 1 }},
		"backup change": {data: func(a *data) { a.flags |= eligible }},
	} {
		b.sign = func(m []byte) []byte { return sign(ed25519Key(), m) }
		if _, _, err := site().Answer(challenge(1), key, anna().Handle, true, d.get(t, ask(t, key), b)); !errors.Is(err, passkey.ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnAnswerCountsOnce(t *testing.T) {
	d := newDevice(p256Key())
	key := d.register(t)
	answer := d.get(t, ask(t, key))
	next, _, err := site().Answer(challenge(1), key, anna().Handle, true, answer)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = site().Answer(challenge(1), next, anna().Handle, true, answer)
	if !errors.Is(err, passkey.ErrCloned) || !strings.Contains(err.Error(), "it was 1 and is now 1") {
		t.Errorf("%v", err)
	}
}

func TestAKeyOfAnotherPartyLetsNobodyIn(t *testing.T) {
	d := newDevice(p256Key())
	key := d.register(t)
	answer := d.get(t, ask(t, key))
	key.Party = "old.example.org"
	if _, _, err := site().Answer(challenge(1), key, anna().Handle, true, answer); !errors.Is(err, passkey.ErrParty) {
		t.Errorf("%v", err)
	}
}

func TestANewPasskeyIsNoLogIn(t *testing.T) {
	d := newDevice(p256Key())
	key := d.register(t)
	answer := d.create(t, must[json.RawMessage](t)(site().Create(challenge(1), anna(), nil)))
	if _, _, err := site().Answer(challenge(1), key, anna().Handle, true, answer); !errors.Is(err, passkey.ErrKind) {
		t.Errorf("%v", err)
	}
}

// A broken row is our fault and must not read like the user's.
func TestAKeyThatWasKeptBadlyIsNoFaultOfTheAnswer(t *testing.T) {
	d := newDevice(p256Key())
	good := d.register(t)
	for name, spoil := range map[string]func(*passkey.Key, *[]byte){
		"no public key":      func(k *passkey.Key, _ *[]byte) { k.Public = nil },
		"half a public key":  func(k *passkey.Key, _ *[]byte) { k.Public = k.Public[:20] },
		"a huge public key":  func(k *passkey.Key, _ *[]byte) { k.Public = bytes.Repeat([]byte{1}, 1<<20) },
		"no ID":              func(k *passkey.Key, _ *[]byte) { k.ID = nil },
		"no party":           func(k *passkey.Key, _ *[]byte) { k.Party = "" },
		"no handle to go by": func(_ *passkey.Key, h *[]byte) { *h = nil },
	} {
		key, handle := good, anna().Handle
		spoil(&key, &handle)
		_, _, err := site().Answer(challenge(1), key, handle, true, d.get(t, ask(t, good)))
		if err == nil || blamed(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// blamed reports an error that says what is wrong with an answer.
func blamed(err error) bool {
	for _, e := range []error{passkey.ErrMalformed, passkey.ErrKind, passkey.ErrChallenge, passkey.ErrOrigin, passkey.ErrParty, passkey.ErrKey,
		passkey.ErrAbsent, passkey.ErrUnverified, passkey.ErrSignature, passkey.ErrCloned, passkey.ErrBackup, passkey.ErrUnsupported} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
