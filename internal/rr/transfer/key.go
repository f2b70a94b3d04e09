package transfer

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"hash"
	"io"
	"strings"

	"hostward/internal/core"
	"hostward/internal/rr"
)

// Algorithm is the HMAC of a key (RFC 8945 6).
type Algorithm string

// The algorithms. HMAC-MD5 and HMAC-SHA1 are in the RFC for old servers and
// are refused here.
const (
	SHA256 Algorithm = "hmac-sha256"
	SHA384 Algorithm = "hmac-sha384"
	SHA512 Algorithm = "hmac-sha512"
)

// Algorithms returns those that are accepted, the usual one first.
func Algorithms() []Algorithm { return []Algorithm{SHA256, SHA384, SHA512} }

// ParseAlgorithm reads an algorithm as configurations and messages name it, in
// any case, with or without final dot. Errors are Invalid.
func ParseAlgorithm(s string) (Algorithm, error) {
	a := Algorithm(strings.TrimSuffix(strings.ToLower(s), "."))
	if a.hash() != nil {
		return a, nil
	}
	why := "is not known"
	if strings.Contains(string(a), "md5") || strings.Contains(string(a), "sha1") {
		why = "is too weak to be used still (RFC 8945 6)"
	}
	return "", core.Errorf(core.Invalid, "TSIG algorithm %q %s: hmac-sha256, hmac-sha384 and hmac-sha512 are accepted", clip(s), why)
}

func (a Algorithm) hash() func() hash.Hash {
	switch a {
	case SHA256:
		return sha256.New
	case SHA384:
		return sha512.New384
	case SHA512:
		return sha512.New
	}
	return nil
}

// Size returns the octets of a whole MAC, which is also the length of secrets
// that NewKey makes (RFC 8945 8); 0 if the algorithm is not accepted.
func (a Algorithm) Size() int {
	if h := a.hash(); h != nil {
		return h().Size()
	}
	return 0
}

// name is the algorithm as a domain name in messages.
func (a Algorithm) name() rr.Name { return rr.Name(a + ".") }

// Key is a secret that two servers share (RFC 8945 2).
type Key struct {
	Name      rr.Name     `json:"name"` // both sides call it the same
	Algorithm Algorithm   `json:"algorithm"`
	Secret    core.Secret `json:"secret"` // in base64
	// MAC is how many octets of a MAC are sent, and the fewest that are accepted;
	// 0 stands for the whole. RFC 8945 5.2.2.1 allows half of it, 10 at least.
	MAC int `json:"mac,omitempty"`
}

// Keys finds the key of a name; false if there is none.
type Keys func(name rr.Name) (Key, bool)

// OneKey is Keys with a single key.
func OneKey(k Key) Keys {
	return func(name rr.Name) (Key, bool) { return k, name == k.Name }
}

// Limits of a secret, in octets. The least is what 128 bits are worth; more
// than a block of the hash is hashed first and gains nothing (RFC 2104 3).
const (
	leastSecret = 16
	mostSecret  = 512
)

// Validate names every fault of a key; the error is Invalid.
func (k Key) Validate() error {
	var f core.Faults
	if name, err := rr.ParseName(string(k.Name), ""); err != nil || name != k.Name || name == "." {
		f.Add("name", string(k.Name), "an absolute domain name in lower case")
	}
	if _, err := ParseAlgorithm(string(k.Algorithm)); err != nil || k.Algorithm.hash() == nil {
		f.Add("algorithm", string(k.Algorithm), "hmac-sha256, hmac-sha384 or hmac-sha512")
	}
	if b, err := k.secret(); err != nil || len(b) < leastSecret || len(b) > mostSecret {
		f.Add("secret", "", fmt.Sprintf("%d to %d octets in base64", leastSecret, mostSecret))
	}
	if size := k.Algorithm.Size(); k.MAC != 0 && (k.MAC < leastMAC(size) || k.MAC > size) {
		f.Add("mac", fmt.Sprint(k.MAC), fmt.Sprintf("0, or %d to %d octets (RFC 8945 5.2.2.1)", leastMAC(size), size))
	}
	return f.Err()
}

func (k Key) secret() ([]byte, error) {
	return base64.StdEncoding.DecodeString(k.Secret.Reveal())
}

// mac is how many octets of a MAC are sent.
func (k Key) mac() int {
	if k.MAC == 0 {
		return k.Algorithm.Size()
	}
	return k.MAC
}

// leastMAC is the shortest MAC that RFC 8945 5.2.2.1 allows.
func leastMAC(size int) int { return max(10, size/2) }

// NewKey makes a key with a secret as long as the algorithm's MAC. Errors are
// Invalid, or those of random.
func NewKey(random io.Reader, name rr.Name, a Algorithm) (Key, error) {
	secret := make([]byte, a.Size())
	if _, err := io.ReadFull(random, secret); err != nil {
		return Key{}, fmt.Errorf("making a TSIG key: %w", err)
	}
	k := Key{Name: name, Algorithm: a, Secret: core.NewSecret(base64.StdEncoding.EncodeToString(secret))}
	return k, k.Validate()
}

// Form is the text of a key as a program reads it.
type Form string

// The forms: three configuration files, and two command lines.
const (
	FormBIND     Form = "bind"     // as tsig-keygen writes it, for named.conf
	FormKnot     Form = "knot"     // for knot.conf
	FormNSD      Form = "nsd"      // for nsd.conf
	FormPowerDNS Form = "powerdns" // arguments of pdnsutil
	FormDig      Form = "dig"      // what follows -y of dig, kdig and nsupdate
)

// Forms returns all forms.
func Forms() []Form { return []Form{FormBIND, FormKnot, FormNSD, FormPowerDNS, FormDig} }

// Text returns the key in a form: a secret, as it holds one. It is empty for a
// form that is not known.
func (k Key) Text(f Form) core.Secret {
	layout := map[Form]string{
		FormBIND:     "key \"%[1]s\" {\n\talgorithm %[2]s;\n\tsecret \"%[3]s\";\n};\n",
		FormKnot:     "key:\n  - id: \"%[1]s\"\n    algorithm: %[2]s\n    secret: \"%[3]s\"\n",
		FormNSD:      "key:\n\tname: \"%[1]s\"\n\talgorithm: %[2]s\n\tsecret: \"%[3]s\"\n",
		FormPowerDNS: "pdnsutil import-tsig-key %[1]s %[2]s %[3]s\n",
		FormDig:      "%[2]s:%[1]s:%[3]s",
	}[f]
	if layout == "" {
		return core.Secret{}
	}
	return core.NewSecret(fmt.Sprintf(layout, strings.TrimSuffix(string(k.Name), "."), k.Algorithm, k.Secret.Reveal()))
}

// clip keeps an echoed text short and printable.
func clip(s string) string {
	const most = 60
	s = strings.ToValidUTF8(s, "\uFFFD")
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
