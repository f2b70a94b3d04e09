package passkey

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/protocol"

	"hostward/internal/core"
)

// Timeout is how long a browser waits for its user. A challenge needs to live
// no longer.
const Timeout = 5 * time.Minute

// A challenge has at least 16 bytes by WebAuthn L3 13.4.3; ours hold a code of
// authenticity beside what is random.
const (
	minChallenge = 32
	maxChallenge = 64
)

// Party is the site that passkeys are made for (WebAuthn: relying party). A
// passkey stays with the ID it was made for: change it, and every passkey is
// lost.
type Party struct {
	ID      string   // host name without port, in ASCII: "panel.example.org", "localhost"
	Name    string   // shown by some authenticators when a passkey is made
	Origins []string // where the site is, as browsers write it: "https://panel.example.org:8443"
}

// Validate reports every fault as one core.Invalid. Browsers know no passkeys
// for IP addresses, nor for plain HTTP except on localhost.
func (p Party) Validate() error {
	var f core.Faults
	if err := protocol.ValidateRPID(p.ID); err != nil || p.ID != strings.ToLower(p.ID) {
		f.Add("id", p.ID, `must be a host name in lower case with a dot in it, or "localhost"`)
	}
	if p.Name == "" {
		f.Add("name", "", "must not be empty")
	}
	if len(p.Origins) == 0 {
		f.Add("origins", "", "must name one origin at least")
	}
	for _, origin := range p.Origins {
		if !p.holds(origin) {
			f.Add("origins", origin, "must be https://HOST or https://HOST:PORT as browsers write it, and HOST the id or below it")
		}
	}
	return f.Err()
}

// holds reports an origin at which browsers let the party's passkeys be used
// (WebAuthn L3 5.1.3 step 8: the ID is the host or a parent domain of it).
func (p Party) holds(origin string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme+"://"+u.Host != origin || origin != strings.ToLower(origin) {
		return false
	}
	host, port := u.Hostname(), u.Port()
	local := host == "localhost" || strings.HasSuffix(host, ".localhost")
	plain := u.Scheme == "http" && local && port != "80"
	return (plain || u.Scheme == "https" && port != "443") && !strings.HasSuffix(u.Host, ":") &&
		(host == p.ID || strings.HasSuffix(host, "."+p.ID))
}

// ready reports what is wrong with a question before it is asked.
func (p Party) ready(challenge []byte) error {
	if n := len(challenge); n < minChallenge || n > maxChallenge {
		return fmt.Errorf("a challenge of %d bytes: want %d to %d", n, minChallenge, maxChallenge)
	}
	return p.Validate()
}

// ours are the keys that were made for this party: browsers know no others here.
func (p Party) ours(keys []Key) []protocol.CredentialDescriptor {
	var out []protocol.CredentialDescriptor
	for _, k := range keys {
		if k.Party == p.ID {
			out = append(out, k.descriptor())
		}
	}
	return slices.Clip(out)
}

// present holds authenticator data against what every answer must have
// (WebAuthn L3 7.1 steps 14 to 17, 7.2 steps 15 to 18).
func (p Party) present(data protocol.AuthenticatorData, verification bool) error {
	want := sha256.Sum256([]byte(p.ID))
	switch {
	case !bytes.Equal(data.RPIDHash, want[:]):
		return ErrParty
	case !data.Flags.HasUserPresent():
		return ErrAbsent
	case verification && !data.Flags.HasUserVerified():
		return ErrUnverified
	case data.Flags.HasBackupState() && !data.Flags.HasBackupEligible():
		return malformed("its passkey is copied and must not be")
	}
	return nil
}
