package passkey_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hostward/internal/adapter/passkey"
)

func TestANewPasskeyIsAskedForAsTheSpecificationSays(t *testing.T) {
	have := []passkey.Key{
		{ID: []byte("first"), Party: "panel.example.org", Transports: []string{"usb"}},
		{ID: []byte("of the old host name"), Party: "old.example.org"},
	}
	options := must[json.RawMessage](t)(site().Create(challenge(0), anna(), have))
	want := map[string]any{
		"rp":        map[string]any{"id": "panel.example.org", "name": "Panel"},
		"user":      map[string]any{"id": encode(anna().Handle), "name": "anna", "displayName": "Anna Berg"},
		"challenge": encode(challenge(0)),
		"pubKeyCredParams": []any{
			map[string]any{"type": "public-key", "alg": -7.0},
			map[string]any{"type": "public-key", "alg": -8.0},
			map[string]any{"type": "public-key", "alg": -257.0},
		},
		"timeout":                300000.0,
		"excludeCredentials":     []any{map[string]any{"type": "public-key", "id": encode([]byte("first")), "transports": []any{"usb"}}},
		"authenticatorSelection": map[string]any{"residentKey": "required", "requireResidentKey": true, "userVerification": "required"},
		"attestation":            "none",
		"extensions":             map[string]any{"credProps": true},
	}
	var got map[string]any
	if err := json.Unmarshal(options, &got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestANewPasskeyOfEveryAlgorithmIsKept(t *testing.T) {
	for name, signer := range signers() {
		t.Run(name, func(t *testing.T) {
			d := newDevice(signer)
			d.count = 7
			got := d.register(t)
			want := passkey.Key{ID: d.id, Public: encodeCBOR(cose(signer.Public())), Count: 7, AAGUID: bytes.Repeat([]byte{0xaa}, 16),
				Party: "panel.example.org", Verified: true, Transports: []string{"internal", "usb"}}
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
			if got.Algorithm() != name {
				t.Errorf("the algorithm is called %q", got.Algorithm())
			}
		})
	}
}

// What a synced passkey, a security key that signs its own attestation, and
// browsers of other makers send is as good.
func TestNewPasskeysThatDifferInWhatMayDifferAreKept(t *testing.T) {
	self := func(d *device) bend {
		return bend{object: func(o map[string]any) { o["fmt"] = "packed"; o["attStmt"] = nil }, json: func(_, inner map[string]any) {
			client, raw := decode(t, inner["clientDataJSON"].(string)), d.data(site().ID)
			raw.flags, raw.public = raw.flags|attested, cose(d.signer.Public())
			hash := sha256.Sum256(client)
			sig := sign(d.signer, append(raw.encode(), hash[:]...))
			inner["attestationObject"] = encode(encodeCBOR(map[string]any{"fmt": "packed", "authData": raw.encode(), "attStmt": map[string]any{"alg": -7, "sig": sig}}))
		}}
	}
	d := newDevice(p256Key())
	for name, b := range map[string]bend{
		"signed by itself":        self(d),
		"with credProtect":        {data: func(a *data) { a.flags |= extended; a.extensions = map[string]any{"credProtect": 2} }},
		"synced":                  {data: func(a *data) { a.flags |= eligible | synced }},
		"the second origin":       {client: func(c map[string]any) { c["origin"] = site().Origins[1] }},
		"a client that says more": {client: func(c map[string]any) { c["other_keys_can_be_added_here"] = "do not compare" }},
		"a client that says less": {client: func(c map[string]any) { delete(c, "crossOrigin") }},
		"no transports":           {json: func(_, inner map[string]any) { delete(inner, "transports") }},
		"no extension results":    {json: func(outer, _ map[string]any) { delete(outer, "clientExtensionResults") }},
		"no word on discoverable": {json: func(outer, _ map[string]any) {
			outer["clientExtensionResults"] = map[string]any{"credProps": map[string]any{}}
		}},
		"the longest credential ID": {data: func(a *data) { a.id = bytes.Repeat([]byte{1}, 1023) }, json: func(outer, _ map[string]any) { outer["id"] = outer["rawId"] }},
	} {
		options := must[json.RawMessage](t)(site().Create(challenge(0), anna(), nil))
		key, err := site().Created(challenge(0), d.create(t, options, b))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if want := name == "synced"; key.Backup != want || key.Synced != want {
			t.Errorf("%s: backup %t, synced %t", name, key.Backup, key.Synced)
		}
	}
}

func TestOddTransportsAreLeftOut(t *testing.T) {
	for _, c := range []struct{ said, kept []string }{
		{[]string{"usb", "usb", "", "NFC", "<b>", strings.Repeat("a", 33), "hybrid"}, []string{"hybrid", "usb"}},
		{strings.Fields("a9 a8 a7 a6 a5 a4 a3 a2 a1"), strings.Fields("a1 a2 a3 a4 a5 a6 a7 a8")},
		{[]string{"NFC"}, nil},
		{[]string{}, nil}, // and not empty, which would not come back from JSON as it was
	} {
		options := must[json.RawMessage](t)(site().Create(challenge(0), anna(), nil))
		answer := newDevice(p256Key()).create(t, options, bend{json: func(_, inner map[string]any) { inner["transports"] = c.said }})
		key := must[passkey.Key](t)(site().Created(challenge(0), answer))
		if d := cmp.Diff(c.kept, key.Transports); d != "" {
			t.Error(d)
		}
	}
}

// badNew are answers that make no passkey, each with one thing wrong.
func badNew() map[string]struct {
	bend
	want error
} {
	type bad = struct {
		bend
		want error
	}
	public := cose(p256Key().Public())
	key := func(v any) bend { return bend{data: func(a *data) { a.public = v }} }
	client := func(name string, v any) bend { return bend{client: func(c map[string]any) { c[name] = v }} }
	other, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		panic(err)
	}
	point, err := other.PublicKey.Bytes()
	if err != nil {
		panic(err)
	}
	return map[string]bad{
		"another site":            {client("origin", "https://panel.example.net:8443"), passkey.ErrOrigin},
		"another challenge":       {client("challenge", encode(challenge(9))), passkey.ErrChallenge},
		"inside another site":     {client("crossOrigin", true), passkey.ErrOrigin},
		"below another site":      {client("topOrigin", "https://panel.example.org:8443"), passkey.ErrOrigin},
		"made for another party":  {bend{data: func(a *data) { a.party = "example.org" }}, passkey.ErrParty},
		"nobody there":            {bend{data: func(a *data) { a.flags &^= present }}, passkey.ErrAbsent},
		"not verified":            {bend{data: func(a *data) { a.flags &^= verified }}, passkey.ErrUnverified},
		"copied but not copyable": {bend{data: func(a *data) { a.flags |= synced }}, passkey.ErrMalformed},
		"bytes behind":            {bend{data: func(a *data) { a.behind = []byte{0} }}, passkey.ErrMalformed},
		"no passkey in it":        {bend{data: func(a *data) { a.flags &^= attested }}, passkey.ErrMalformed},
		"another ID outside":      {bend{json: func(outer, _ map[string]any) { outer["id"], outer["rawId"] = "AAAA", "AAAA" }}, passkey.ErrMalformed},
		"an ID that is too long":  {bend{data: func(a *data) { a.id = bytes.Repeat([]byte{1}, 1024) }}, passkey.ErrMalformed},
		"not discoverable": {bend{json: func(outer, _ map[string]any) {
			outer["clientExtensionResults"] = json.RawMessage(`{"credProps":{"rk":false}}`)
		}}, passkey.ErrUnsupported},
		"discoverable or not": {bend{json: func(outer, _ map[string]any) {
			outer["clientExtensionResults"] = json.RawMessage(`{"credProps":{"rk":0}}`)
		}}, passkey.ErrMalformed},
		"P-384":                     {key(map[int]any{1: 2, 3: -35, -1: 2, -2: point[1:49], -3: point[49:]}), passkey.ErrUnsupported},
		"a point beside the curve":  {key(with(public, -2, bytes.Repeat([]byte{1}, 32))), passkey.ErrUnsupported},
		"no point":                  {key(map[int]any{1: 2, 3: -7, -1: 1}), passkey.ErrUnsupported},
		"RSA that says ES256":       {key(with(cose(rsaKey(2048).Public()), 3, -7)), passkey.ErrUnsupported},
		"RSA with PSS":              {key(with(cose(rsaKey(2048).Public()), 3, -37)), passkey.ErrUnsupported},
		"RSA that is short":         {key(cose(rsaKey(1024).Public())), passkey.ErrUnsupported},
		"RSA that is long":          {key(map[int]any{1: 3, 3: -257, -1: bytes.Repeat([]byte{0xff}, 513), -2: []byte{1, 0, 1}}), passkey.ErrUnsupported},
		"RSA that is huge":          {key(map[int]any{1: 3, 3: -257, -1: bytes.Repeat([]byte{0xff}, 30000), -2: []byte{1, 0, 1}}), passkey.ErrMalformed},
		"the other name of Ed25519": {key(with(cose(ed25519Key().Public()), 3, -19)), passkey.ErrUnsupported},
		"a key with ballast":        {key(with(public, -70000, bytes.Repeat([]byte{1}, 1000))), passkey.ErrUnsupported},
		"a key that is none":        {key("key"), passkey.ErrUnsupported},
		"a certificate of its maker": {bend{object: func(o map[string]any) {
			o["fmt"] = "packed"
			o["attStmt"] = map[string]any{"alg": -7, "sig": []byte{1}, "x5c": []any{[]byte{1}}}
		}}, passkey.ErrUnsupported},
		"an anonymous attestation": {bend{object: func(o map[string]any) {
			o["fmt"] = "packed"
			o["attStmt"] = map[string]any{"alg": -7, "sig": []byte{1}, "ecdaaKeyId": []byte{1}}
		}}, passkey.ErrUnsupported},
		"a TPM's attestation":      {bend{object: func(o map[string]any) { o["fmt"] = "tpm" }}, passkey.ErrUnsupported},
		"a compound attestation":   {bend{object: func(o map[string]any) { o["fmt"] = "compound"; o["attStmt"] = []any{} }}, passkey.ErrUnsupported},
		"a format nobody knows":    {bend{object: func(o map[string]any) { o["fmt"] = "<script>" }}, passkey.ErrUnsupported},
		"no attestation, with one": {bend{object: func(o map[string]any) { o["attStmt"] = map[string]any{"sig": []byte{1}} }}, passkey.ErrMalformed},
		"signed by itself, wrongly": {bend{object: func(o map[string]any) {
			o["fmt"] = "packed"
			o["attStmt"] = map[string]any{"alg": -7, "sig": []byte{1}}
		}}, passkey.ErrMalformed},
		"no attestation object":      {bend{json: func(_, inner map[string]any) { delete(inner, "attestationObject") }}, passkey.ErrMalformed},
		"an object that is not CBOR": {bend{json: func(_, inner map[string]any) { inner["attestationObject"] = "AAAA" }}, passkey.ErrMalformed},
		"transports of no words":     {bend{json: func(_, inner map[string]any) { inner["transports"] = []any{1} }}, passkey.ErrMalformed},
	}
}

func TestABadAnswerMakesNoPasskey(t *testing.T) {
	options := must[json.RawMessage](t)(site().Create(challenge(0), anna(), nil))
	for name, c := range badNew() {
		key, err := site().Created(challenge(0), newDevice(p256Key()).create(t, options, c.bend))
		if !errors.Is(err, c.want) || key.ID != nil {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestALogInIsNoNewPasskey(t *testing.T) {
	d := newDevice(p256Key())
	answer := d.get(t, ask(t, d.register(t)))
	if _, err := site().Created(challenge(1), answer); !errors.Is(err, passkey.ErrKind) {
		t.Errorf("%v", err)
	}
}

func TestAQuestionThatCannotBeAskedIsRefused(t *testing.T) {
	for name, ask := range map[string]func() (json.RawMessage, error){
		"no handle": func() (json.RawMessage, error) { return site().Create(challenge(0), passkey.User{Name: "anna"}, nil) },
		"a long handle": func() (json.RawMessage, error) {
			return site().Create(challenge(0), passkey.User{Handle: make([]byte, 65)}, nil)
		},
		"short challenge": func() (json.RawMessage, error) { return site().Create(make([]byte, 31), anna(), nil) },
		"long challenge":  func() (json.RawMessage, error) { return site().AskAny(make([]byte, 65)) },
		"no party":        func() (json.RawMessage, error) { return passkey.Party{}.Create(challenge(0), anna(), nil) },
		"no key":          func() (json.RawMessage, error) { return site().Ask(challenge(1), nil, true) },
		"no key of this party": func() (json.RawMessage, error) {
			return site().Ask(challenge(1), []passkey.Key{{ID: []byte("a"), Party: "old.example.org"}}, true)
		},
	} {
		if options, err := ask(); err == nil {
			t.Errorf("%s: %s", name, options)
		}
	}
}
