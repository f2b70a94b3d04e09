package keeper

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"hostward/internal/core"
)

// cost is what argon2id is asked to spend.
type cost struct {
	Time    uint32
	Memory  uint32 // KiB
	Threads uint8
}

const (
	saltSize = 16
	hashSize = 32

	// maxPassword bounds the work before argon2, in bytes; NIST SP 800-63B-4
	// asks for 64 characters at least.
	maxPassword = 4096
)

// now is the cost of new hashes: 19 MiB and two passes, the smallest that OWASP's
// Password Storage Cheat Sheet accepts (seen 2026-11); some 30 ms a core.
func now() cost { return cost{Time: 2, Memory: 19 << 10, Threads: 1} }

// HashPassword implements Keeper.
func (k *local) HashPassword(ctx context.Context, lane string, known bool, password core.Secret) (string, error) {
	text, err := normal(password)
	if err != nil {
		return "", err
	}
	leave, err := k.enterHash(ctx, lane, known)
	if err != nil {
		return "", err
	}
	defer leave()
	p := phc{cost: now(), salt: make([]byte, saltSize), hash: make([]byte, hashSize)}
	_, _ = rand.Read(p.salt) // never fails: crypto/rand ends the program instead
	p.hash = p.of(text)
	return p.String(), nil
}

// CheckPassword implements Keeper. What cannot match is hashed all the same.
func (k *local) CheckPassword(ctx context.Context, lane string, known bool, stored string, password core.Secret) (ok, rehash bool, err error) {
	text, tooLong := normal(password)
	p, broken := parsePHC(stored)
	possible := stored != "" && broken == nil && tooLong == nil
	if !possible {
		p = phc{cost: now(), salt: make([]byte, saltSize), hash: make([]byte, hashSize)}
	}
	leave, err := k.enterHash(ctx, lane, known)
	if err != nil {
		return false, false, err
	}
	defer leave()
	same := subtle.ConstantTimeCompare(p.of(text), p.hash) == 1
	if stored != "" && broken != nil {
		return false, false, fmt.Errorf("the stored hash of a password: %w", broken)
	}
	ok = possible && same
	return ok, ok && p.cost != now(), nil
}

// enterHash waits in the line.
func (k *local) enterHash(ctx context.Context, lane string, known bool) (leave func(), err error) {
	part, err := k.line.enter(ctx, lane, known)
	if err != nil {
		return nil, err
	}
	out, err := k.enter(ctx)
	if err != nil {
		part()
		return nil, err
	}
	return func() { out(); part() }, nil
}

// normal gives the same bytes to the same characters, however a keyboard
// composes them (NFC, as NIST SP 800-63B-4 3.1.1.2 and RFC 8265 4.2.2 ask).
func normal(password core.Secret) ([]byte, error) {
	if len(password.Reveal()) > maxPassword {
		return nil, core.Faults{{Field: "password", Accepted: fmt.Sprintf("at most %d bytes", maxPassword)}}.Err()
	}
	return norm.NFC.Bytes([]byte(password.Reveal())), nil
}

// phc is one hash in the PHC string format:
// $argon2id$v=19$m=19456,t=2,p=1$salt$hash, base64 without padding.
type phc struct {
	cost
	salt, hash []byte
}

func (p phc) of(text []byte) []byte {
	return argon2.IDKey(text, p.salt, p.Time, p.Memory, p.Threads, uint32(len(p.hash)))
}

func (p phc) String() string {
	enc := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.Memory, p.Time, p.Threads,
		enc.EncodeToString(p.salt), enc.EncodeToString(p.hash))
}

// Costs above these are refused: a stored hash must not be able to stop the server.
const (
	maxMemory  = 256 << 10
	maxTime    = 16
	maxThreads = 8
)

var errPHC = errors.New("it is not $argon2id$v=19$m=…,t=…,p=…$salt$hash within the limits")

func parsePHC(text string) (p phc, err error) {
	var rest string
	if n, err := fmt.Sscanf(text, "$argon2id$v=19$m=%d,t=%d,p=%d$%s", &p.Memory, &p.Time, &p.Threads, &rest); err != nil || n != 4 {
		return phc{}, errPHC
	}
	salt, hash, _ := strings.Cut(rest, "$")
	if p.salt, err = base64.RawStdEncoding.DecodeString(salt); err != nil {
		return phc{}, errPHC
	}
	if p.hash, err = base64.RawStdEncoding.DecodeString(hash); err != nil {
		return phc{}, errPHC
	}
	if p.Time < 1 || p.Time > maxTime || p.Memory > maxMemory || p.Threads < 1 || p.Threads > maxThreads ||
		len(p.salt) < 8 || len(p.salt) > 64 || len(p.hash) < 16 || len(p.hash) > 64 || p.String() != text {
		return phc{}, errPHC
	}
	return p, nil
}
