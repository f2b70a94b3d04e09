package witness

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"
)

// algorithm is the key type of Ed25519 cosignatures (C2SP tlog-cosignature).
const algorithm = 0x04

// Key is a witness's private key.
type Key struct {
	name    string
	private ed25519.PrivateKey
}

// GenerateKey makes a key for a witness. name is a URL without scheme, such as
// "witness.example.org/w1". The secret text goes into a file of mode 0600, the
// verifier key to everybody who asks this witness. Nothing else uses the key:
// the signed message does not say which witness signs (C2SP tlog-cosignature).
func GenerateKey(name string) (secret, verifier string, err error) {
	if !isName(name) {
		return "", "", fmt.Errorf(`the name %q of a witness is not accepted: no blanks, no "+", such as witness.example.org/w1`, name)
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", "", err
	}
	k := &Key{name, private}
	return fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", name, k.hash(), encodeKey(private.Seed())), k.Verifier(), nil
}

var errKey = errors.New("it is not a witness's key as `hostward witness key` makes it: PRIVATE+KEY+name+hash+key")

// ParseKey reads what GenerateKey made. The errors do not show the key.
func ParseKey(secret string) (*Key, error) {
	rest, found := strings.CutPrefix(strings.TrimSpace(secret), "PRIVATE+KEY+")
	name, hash, seed, ok := cutKey(rest)
	if !found || !ok || len(seed) != ed25519.SeedSize {
		return nil, errKey
	}
	k := &Key{name, ed25519.NewKeyFromSeed(seed)}
	if k.hash() != hash {
		return nil, errKey
	}
	return k, nil
}

// Name returns the witness's name.
func (k *Key) Name() string { return k.name }

// Verifier returns the verifier key (C2SP signed-note, type 0x04).
func (k *Key) Verifier() string {
	return fmt.Sprintf("%s+%08x+%s", k.name, k.hash(), encodeKey(k.public()))
}

func (k *Key) public() ed25519.PublicKey { return k.private.Public().(ed25519.PublicKey) }
func (k *Key) hash() uint32              { return keyHash(k.name, k.public()) }

// cosign returns the signature line for a checkpoint's text.
func (k *Key) cosign(text string, at time.Time) string {
	seconds := uint64(max(at.Unix(), 1)) // a cosignature of a checkpoint has a time
	sig := binary.BigEndian.AppendUint32(nil, k.hash())
	sig = binary.BigEndian.AppendUint64(sig, seconds)
	sig = append(sig, ed25519.Sign(k.private, message(text, seconds))...)
	return fmt.Sprintf("— %s %s\n", k.name, base64.StdEncoding.EncodeToString(sig))
}

// message is what is signed: two lines, then the note's text.
func message(text string, seconds uint64) []byte {
	return []byte("cosignature/v1\ntime " + strconv.FormatUint(seconds, 10) + "\n" + text)
}

// verifier checks cosignatures of one witness.
type verifier struct {
	name   string
	hash   uint32
	public ed25519.PublicKey
}

var _ note.Verifier = (*verifier)(nil)

// Verifier reads the verifier key of a witness, for checking cosignatures.
func Verifier(key string) (note.Verifier, error) { return newVerifier(key) }

// newVerifier reads the verifier key of a witness.
func newVerifier(key string) (*verifier, error) {
	name, hash, public, ok := cutKey(strings.TrimSpace(key))
	if !ok || len(public) != ed25519.PublicKeySize || keyHash(name, public) != hash {
		return nil, fmt.Errorf("%q is not the verifier key of a witness: name+hash+key, of type 4 (C2SP tlog-cosignature)", key)
	}
	return &verifier{name, hash, public}, nil
}

func (v *verifier) Name() string    { return v.name }
func (v *verifier) KeyHash() uint32 { return v.hash }

func (v *verifier) Verify(text, sig []byte) bool {
	at, ok := signedAt(sig)
	return ok && ed25519.Verify(v.public, message(string(text), uint64(at.Unix())), sig[8:])
}

// signedAt reads the time of a cosignature without its key id.
func signedAt(sig []byte) (time.Time, bool) {
	if len(sig) != 8+ed25519.SignatureSize {
		return time.Time{}, false
	}
	seconds := binary.BigEndian.Uint64(sig)
	return time.Unix(int64(seconds&math.MaxInt64), 0).UTC(), seconds > 0 && seconds <= math.MaxInt64
}

// find returns this witness's cosignature among verified signatures.
func (v *verifier) find(sigs []note.Signature) (line string, at time.Time, ok bool) {
	for _, s := range sigs {
		if s.Name != v.name || s.Hash != v.hash {
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(s.Base64)
		if err == nil && len(raw) > 4 {
			at, ok = signedAt(raw[4:])
			return signatureLine(s), at, ok
		}
	}
	return "", time.Time{}, false
}

func signatureLine(s note.Signature) string { return "— " + s.Name + " " + s.Base64 + "\n" }

// keyHash is the key id (C2SP tlog-cosignature).
func keyHash(name string, public ed25519.PublicKey) uint32 {
	h := sha256.New()
	h.Write([]byte(name + "\n"))
	h.Write([]byte{algorithm})
	h.Write(public)
	return binary.BigEndian.Uint32(h.Sum(nil))
}

func encodeKey(key []byte) string {
	return base64.StdEncoding.EncodeToString(append([]byte{algorithm}, key...))
}

// cutKey takes name+hash+base64(type and key) apart.
func cutKey(text string) (name string, hash uint32, key []byte, ok bool) {
	name, rest, _ := strings.Cut(text, "+")
	hex, encoded, _ := strings.Cut(rest, "+")
	number, err1 := strconv.ParseUint(hex, 16, 32)
	raw, err2 := base64.StdEncoding.DecodeString(encoded)
	if len(hex) != 8 || err1 != nil || err2 != nil || !isName(name) || len(raw) == 0 || raw[0] != algorithm {
		return "", 0, nil, false
	}
	return name, uint32(number), raw[1:], true
}

// isName is what C2SP signed-note takes as a key name.
func isName(name string) bool {
	return name != "" && utf8.ValidString(name) && !strings.ContainsFunc(name, unicode.IsSpace) && !strings.Contains(name, "+")
}
