package passkey_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"maps"
	"math/big"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"hostward/internal/adapter/passkey"
)

// site is the party of these tests.
func site() passkey.Party {
	return passkey.Party{ID: "panel.example.org", Name: "Panel", Origins: []string{"https://panel.example.org:8443", "https://panel.example.org"}}
}

func anna() passkey.User {
	return passkey.User{Handle: []byte("\x00handle of anna"), Name: "anna", Display: "Anna Berg"}
}

// challenge is a challenge of 48 bytes, another for each n.
func challenge(n int) []byte {
	sum := sha256.Sum256([]byte{byte(n)})
	return append(sum[:], sum[:16]...)
}

// The flags of authenticator data (WebAuthn L3 6.1).
const (
	present, verified, eligible, synced byte = 0x01, 0x04, 0x08, 0x10
	attested, extended                  byte = 0x40, 0x80
)

// device is an authenticator in software and the browser in front of it. It
// makes what the standard says, and bends it where a test asks for that.
type device struct {
	signer crypto.Signer
	id     []byte
	handle []byte // of the user, after create
	count  uint32 // goes up by step with each signature
	step   uint32
	flags  byte
}

// bend changes an answer: what is signed before it is signed, the rest after.
type bend struct {
	client func(map[string]any)
	data   func(*data)
	sign   func(message []byte) []byte
	object func(map[string]any) // the attestation object
	json   func(outer, inner map[string]any)
}

// data is authenticator data before it is encoded.
type data struct {
	party      string
	flags      byte
	count      uint32
	aaguid     []byte
	id         []byte
	public     any
	extensions any
	behind     []byte
}

func newDevice(signer crypto.Signer) *device {
	id := sha256.Sum256([]byte("a passkey"))
	return &device{signer: signer, id: id[:], step: 1, flags: present | verified}
}

// p256Key is the same in every process, so that the corpus of a fuzzer stays good.
func p256Key() *ecdsa.PrivateKey {
	scalar := sha256.Sum256([]byte("a key of the curve P-256"))
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar[:])
	if err != nil {
		panic(err)
	}
	return key
}

func ed25519Key() ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("a key of the curve 25519"))
	return ed25519.NewKeyFromSeed(seed[:])
}

func rsaKey(bits int) *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return key
}

// signers are one key for each algorithm that we ask for.
func signers() map[string]crypto.Signer {
	return map[string]crypto.Signer{"ES256": p256Key(), "Ed25519": ed25519Key(), "RS256": rsaKey(2048)}
}

// create answers the options of a new passkey.
func (d *device) create(t testing.TB, options json.RawMessage, bends ...bend) []byte {
	t.Helper()
	var o struct {
		RP        struct{ ID string }
		User      struct{ ID string }
		Challenge string
	}
	if err := json.Unmarshal(options, &o); err != nil {
		t.Fatal(err)
	}
	d.handle = decode(t, o.User.ID)
	auth := d.data(o.RP.ID)
	auth.flags, auth.public = auth.flags|attested, cose(d.signer.Public())
	client, raw := d.prepare(t, "webauthn.create", o.Challenge, auth, bends)
	object := map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": raw}
	for _, b := range bends {
		if b.object != nil {
			b.object(object)
		}
	}
	outer, inner := d.answer(client, auth)
	inner["attestationObject"] = encode(encodeCBOR(object))
	inner["transports"] = []string{"usb", "internal"}
	outer["clientExtensionResults"] = map[string]any{"credProps": map[string]any{"rk": true}}
	return finish(t, outer, inner, bends)
}

// get answers the options of a log-in.
func (d *device) get(t testing.TB, options json.RawMessage, bends ...bend) []byte {
	t.Helper()
	var o struct{ RPID, Challenge string }
	if err := json.Unmarshal(options, &o); err != nil {
		t.Fatal(err)
	}
	d.count += d.step
	auth := d.data(o.RPID)
	client, raw := d.prepare(t, "webauthn.get", o.Challenge, auth, bends)
	hash := sha256.Sum256(client)
	message := append(bytes.Clone(raw), hash[:]...)
	signature := sign(d.signer, message)
	for _, b := range bends {
		if b.sign != nil {
			signature = b.sign(message)
		}
	}
	outer, inner := d.answer(client, auth)
	inner["authenticatorData"], inner["signature"], inner["userHandle"] = encode(raw), encode(signature), encode(d.handle)
	return finish(t, outer, inner, bends)
}

func (d *device) data(party string) *data {
	return &data{party: party, flags: d.flags, count: d.count, aaguid: bytes.Repeat([]byte{0xaa}, 16), id: d.id}
}

func (d *device) prepare(t testing.TB, kind, challenge string, auth *data, bends []bend) (client, raw []byte) {
	t.Helper()
	c := map[string]any{"type": kind, "challenge": challenge, "origin": site().Origins[0], "crossOrigin": false}
	for _, b := range bends {
		if b.client != nil {
			b.client(c)
		}
		if b.data != nil {
			b.data(auth)
		}
	}
	return encodeJSON(t, c), auth.encode()
}

func (d *device) answer(client []byte, auth *data) (outer, inner map[string]any) {
	outer = map[string]any{"id": encode(auth.id), "rawId": encode(auth.id), "type": "public-key",
		"authenticatorAttachment": "platform", "clientExtensionResults": map[string]any{}}
	return outer, map[string]any{"clientDataJSON": encode(client)}
}

func finish(t testing.TB, outer, inner map[string]any, bends []bend) []byte {
	t.Helper()
	outer["response"] = inner
	for _, b := range bends {
		if b.json != nil {
			b.json(outer, inner)
		}
	}
	return encodeJSON(t, outer)
}

// encode follows WebAuthn L3 6.1 and 6.5.1.
func (a *data) encode() []byte {
	hash := sha256.Sum256([]byte(a.party))
	out := append(hash[:], a.flags)
	out = binary.BigEndian.AppendUint32(out, a.count)
	if a.flags&attested != 0 {
		out = append(out, a.aaguid...)
		out = binary.BigEndian.AppendUint16(out, uint16(len(a.id)))
		out = append(append(out, a.id...), encodeCBOR(a.public)...)
	}
	if a.flags&extended != 0 {
		out = append(out, encodeCBOR(a.extensions)...)
	}
	return append(out, a.behind...)
}

// cose writes a public key (RFC 9053 7, RFC 8230 4).
func cose(public crypto.PublicKey) map[int]any {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		point, err := k.Bytes()
		if err != nil {
			panic(err)
		}
		return map[int]any{1: 2, 3: -7, -1: 1, -2: point[1:33], -3: point[33:]}
	case ed25519.PublicKey:
		return map[int]any{1: 1, 3: -8, -1: 6, -2: []byte(k)}
	case *rsa.PublicKey:
		return map[int]any{1: 3, 3: -257, -1: k.N.Bytes(), -2: big.NewInt(int64(k.E)).Bytes()}
	}
	panic("no such key")
}

func with(public map[int]any, label int, value any) map[int]any {
	public = maps.Clone(public)
	public[label] = value
	return public
}

// sign signs as the algorithms of WebAuthn do: Ed25519 the message, the others its hash.
func sign(signer crypto.Signer, message []byte) []byte {
	hash, digest := crypto.SHA256, sha256.Sum256(message)
	if _, ok := signer.(ed25519.PrivateKey); ok {
		hash = 0
	} else {
		message = digest[:]
	}
	signature, err := signer.Sign(rand.Reader, message, hash)
	if err != nil {
		panic(err)
	}
	return signature
}

func encodeCBOR(v any) []byte {
	mode, err := cbor.CTAP2EncOptions().EncMode()
	if err != nil {
		panic(err)
	}
	b, err := mode.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

func encodeJSON(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func decode(t testing.TB, text string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// must is what a step of a test gives when it went well.
func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// register makes a passkey for Anna with challenge 0.
func (d *device) register(t testing.TB) passkey.Key {
	t.Helper()
	options := must[json.RawMessage](t)(site().Create(challenge(0), anna(), nil))
	return must[passkey.Key](t)(site().Created(challenge(0), d.create(t, options)))
}

// ask is the question of a log-in with challenge 1.
func ask(t testing.TB, key passkey.Key) json.RawMessage {
	t.Helper()
	return must[json.RawMessage](t)(site().Ask(challenge(1), []passkey.Key{key}, true))
}
