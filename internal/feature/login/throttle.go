package login

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

const (
	window   = 15 * time.Minute // how long a failure counts after the last wait it caused
	lockTime = 24 * time.Hour   // how long a locked name is locked, and counts afterwards
	forever  = 100 * 365 * 24 * time.Hour
)

// How many failures are free: of one network with one name, of one network with
// all names, which may be a whole office behind one address, and of codes. Letters
// with a link are asked for so often at once, and so often a day. NIST SP 800-63B-4
// 3.2.2 allows 100 failures in a row for one account in all: then a name or a second
// factor is locked until somebody resets it.
const (
	freeTogether = 5
	freeNetwork  = 20
	freeCode     = 5
	freeForgot   = 3
	freeLetters  = 10
	mostEver     = 100
)

// burden is what one key has on it.
type burden struct {
	failures    int
	last, until time.Time
	kept        time.Time // until when the row counts
}

// key names what is throttled. A log-in name is hashed: it may be a password in
// the wrong field.
type key struct {
	text string
	free int
	lock string        // what who finds it locked is told; "": it does not lock, but waits
	rest time.Duration // how long a failure counts after the wait it caused
}

// more adds a failure. A wait doubles from one minute up to the window, and ends
// by itself; it holds for this key alone.
func (k key) more(b burden, now time.Time) burden {
	if !now.Before(b.kept) { // as if forgotten
		b.failures = 0
	}
	b.failures++
	b.last, b.until = now, now
	over := b.failures - k.free
	switch {
	case over < 0:
	case k.lock != "" && b.failures >= mostEver:
		b.until = now.Add(forever)
	case k.lock != "":
		b.until = now.Add(lockTime)
	default:
		b.until = now.Add(min(time.Minute<<min(over, 10), window))
	}
	b.kept = b.until.Add(k.rest)
	return b
}

// buckets bounds how many rows names can have: some 262,000. Names share them,
// those that exist with those that do not, so that nothing tells them apart.
const buckets = 18

// saltKey is the row of a random number, made with the first failure, that decides
// which names share a bucket. Else somebody with an account in the bucket of
// another could look for one, and clear the other's failures by logging in.
const saltKey = "salt"

// bucketOf is the key of a name from everywhere.
func bucketOf(salt int, login string, failures int) key {
	sum := sha256.Sum256(fmt.Appendf(nil, "name\x00%d\x00%s", salt, fold(login)))
	n := (uint32(sum[0])<<16 | uint32(sum[1])<<8 | uint32(sum[2])) >> (24 - buckets)
	return key{fmt.Sprintf("name %05x", n), failures, lockedName, lockTime}
}

// What who finds something locked is told.
const (
	lockedName    = "the password of this log-in name is locked after too many failed attempts; use a passkey, a browser from which you logged in before, or a link for a new password"
	lockedFactor  = "codes of this account are locked after 100 wrong ones in a row; use a passkey or a browser from which you logged in before, or have whoever manages your account reset your second factors"
	lockedLetters = "enough letters were asked for today; try again tomorrow, or ask whoever made your account for a link"
)

// nameKey is bucketOf under the limits of now. Before the first failure there is no
// salt, and nothing in any bucket.
func nameKey(ctx context.Context, v *act.View, login string) (key, error) {
	limits, _, err := limitsNow(ctx, v)
	if err != nil {
		return key{}, err
	}
	salt, err := burdenOf(ctx, v, saltKey)
	return bucketOf(salt.failures, login, limits.Failures), err
}

// season makes the salt when there is none yet.
func season(ctx context.Context, tx *act.Tx) error {
	salt, err := burdenOf(ctx, &tx.View, saltKey)
	if err != nil || salt.failures != 0 {
		return err
	}
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the program instead
	return setBurden(ctx, tx, saltKey, burden{failures: int(binary.BigEndian.Uint64(random[:])>>1 | 1), kept: tx.Now().Add(forever)})
}

func togetherKey(address, login string) key {
	sum := sha256.Sum256([]byte(fold(login) + "\x00" + network(address)))
	return key{"together " + hex.EncodeToString(sum[:16]), freeTogether, "", window}
}

func networkKey(address string) key {
	return key{"network " + network(address), freeNetwork, "", window}
}

// letterKeys are those of a name for which a letter is asked.
func letterKeys(login string) []key {
	k := togetherKey("forgot", login)
	k.free = freeForgot
	return []key{k, {"letters " + k.text, freeLetters, lockedLetters, lockTime}}
}

// factorKey is that of all codes of an account from where nothing is known. It
// counts until one is right.
func factorKey(account string) key {
	return key{"factor " + account, mostEver, lockedFactor, forever}
}

// codeKeys are those of a code, or a password, that somebody shows who is in or
// half in. Who stands before the last step from a known device, or is in already,
// waits for his own failures alone: a stranger who knows the password cannot keep
// him out.
func codeKeys(a act.Actor, device string) []key {
	switch {
	case a.Step != stepFactor && a.Step != stepLink:
		return []key{{"code " + a.Session, freeCode, "", window}}
	case device != "":
		return []key{{"code " + device, freeCode, "", window}}
	}
	return []key{{"code " + a.ID + " " + network(a.Address), freeCode, "", window}, factorKey(a.ID)}
}

// passwordKeys are those of an attempt with a name and a password. From a known
// device only its own failures count.
func passwordKeys(ctx context.Context, v *act.View, login string) ([]key, error) {
	name, err := nameKey(ctx, v, login)
	return []key{togetherKey(v.Actor().Address, login), networkKey(v.Actor().Address), name}, err
}

// network is the address itself for IPv4, and for IPv6 the /64 that one
// customer has at the least.
func network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return "unknown"
	}
	if a = a.Unmap().WithZone(""); a.Is4() {
		return a.String()
	}
	p, err := a.Prefix(64)
	if err != nil {
		return "unknown"
	}
	return p.String()
}

func fold(login string) string { return strings.ToLower(strings.TrimSpace(login)) }

// wait returns core.Throttled while one of the keys has to wait.
func wait(ctx context.Context, v *act.View, keys ...key) error {
	var longest time.Duration
	locked := ""
	for _, k := range keys {
		b, err := burdenOf(ctx, v, k.text)
		if err != nil {
			return err
		}
		left := b.until.Sub(v.Now())
		if longest = max(longest, left); left > 0 && k.lock != "" {
			locked = k.lock
		}
	}
	switch {
	case locked != "":
		return core.Errorf(core.Throttled, "%s", locked)
	case longest > 0:
		return core.Errorf(core.Throttled, "too many failed attempts; try again in %s", inWords(longest))
	}
	return nil
}

func inWords(d time.Duration) string {
	if minutes := (d + time.Minute - 1) / time.Minute; minutes > 1 {
		return fmt.Sprintf("%d minutes", minutes)
	}
	return "a minute"
}

var throttleRef = core.Ref{Kind: "throttle", ID: "login"}

// countFailure adds a failure to every key and forgets what counts no more.
func countFailure(ctx context.Context, tx *act.Tx, keys ...key) error {
	if err := forgetBurdens(ctx, tx); err != nil {
		return err
	}
	for _, k := range keys {
		b, err := burdenOf(ctx, &tx.View, k.text)
		if err != nil {
			return err
		}
		if err := setBurden(ctx, tx, k.text, k.more(b, tx.Now())); err != nil {
			return err
		}
	}
	return tx.Record(ctx, "throttle.counted", throttleRef)
}

// forgive forgets the failures of some keys. Those of a network alone stay: an
// attacker may own an account here.
func forgive(ctx context.Context, tx *act.Tx, keys ...key) error {
	cleared := false
	for _, k := range keys {
		gone, err := deleteBurden(ctx, tx, k.text)
		if err != nil {
			return err
		}
		cleared = cleared || gone
	}
	if !cleared {
		return nil
	}
	return tx.Record(ctx, "throttle.cleared", throttleRef)
}
