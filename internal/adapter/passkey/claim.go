package passkey

// Limits of an answer, in bytes. A real one has one to three thousand.
const (
	maxAnswer = 64 << 10
	maxMade   = 8 << 10 // what the authenticator made: CBOR costs more to read than JSON
	maxKeyID  = 1023    // WebAuthn L3 4, "credential ID"
	maxHandle = 64      // WebAuthn L3 5.4.3
	maxOrigin = 512     // a host name has 253
)

// Claim is what an answer says of itself. Nothing of it is proved.
type Claim struct {
	Challenge []byte // that it answers, 32 to 64 bytes
	KeyID     []byte // the passkey, 1 to 1023 bytes
	Handle    []byte // User.Handle of its owner, 1 to 64 bytes; nil for a new passkey, and where the authenticator does not tell
	Origin    string // of the page, at most 512 bytes of anything
	Kind      string // "webauthn.get", or "webauthn.create" for a new passkey
}

// Parse reads an answer without judging it, so that its challenge, key and user
// can be looked up. A log-in without a name has a Handle (WebAuthn L3 7.2 step
// 6). The error is ErrMalformed.
func Parse(response []byte) (Claim, error) {
	r, err := read(response)
	if err != nil {
		return Claim{}, err
	}
	return r.Claim, nil
}
