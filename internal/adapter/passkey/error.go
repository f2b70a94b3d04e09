package passkey

import (
	"errors"
	"fmt"
)

// What can be wrong with an answer, for errors.Is. None of them quotes what the
// browser sent, but for ErrOrigin, which adds the origin, quoted and cut.
//
// ErrCloned and ErrBackup come only with a signature that holds: whoever sends
// such an answer has the private key, so that it is worth an alarm. All others
// can be provoked by anybody.
var (
	ErrMalformed   = errors.New("the answer is not one that browsers give")
	ErrKind        = errors.New("the answer is one to another question: a new passkey is not a log-in")
	ErrChallenge   = errors.New("the answer is one to another challenge")
	ErrOrigin      = errors.New("the answer was given to another site, or inside one")
	ErrParty       = errors.New("the passkey was made for another site")
	ErrKey         = errors.New("another passkey answered, or one of somebody else")
	ErrAbsent      = errors.New("nobody touched the authenticator")
	ErrUnverified  = errors.New("the authenticator did not verify its user by PIN or biometrics")
	ErrSignature   = errors.New("the signature is not by this passkey")
	ErrCloned      = errors.New("the passkey's counter did not grow: there may be a copy of it")
	ErrBackup      = errors.New("the passkey changed its mind about whether it can be copied to other devices")
	ErrUnsupported = errors.New("the passkey is of a kind that was not asked for")
)

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}
