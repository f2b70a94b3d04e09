package login

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

// window is how long a failure counts after the last wait it caused.
const window = 15 * time.Minute

// How many failures are free: of one network with one name, and of one network
// with all names, which may be a whole office behind one address.
const (
	freeTogether = 5
	freeNetwork  = 20
)

// burden is what one key has on it.
type burden struct {
	failures    int
	last, until time.Time
}

// more adds a failure. The wait doubles from one minute up to the window; it
// ends by itself, and it holds for this key alone.
func (b burden) more(now time.Time, free int) burden {
	if now.Sub(b.until) >= window { // as if forgotten
		b.failures = 0
	}
	b.failures++
	b.last, b.until = now, now
	if over := b.failures - free; over >= 0 {
		b.until = now.Add(min(time.Minute<<min(over, 10), window))
	}
	return b
}

// key names what is throttled. A log-in name is hashed: it may be a password
// in the wrong field.
type key struct {
	text string
	free int
}

// keys of an attempt. Names that do not exist have keys like all others.
func keys(address, login string) []key {
	n := network(address)
	sum := sha256.Sum256([]byte(fold(login) + "\x00" + n))
	return []key{{"together " + hex.EncodeToString(sum[:16]), freeTogether}, {"network " + n, freeNetwork}}
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

// wait returns core.Throttled while the caller's network has to wait.
func wait(ctx context.Context, v *act.View, login string) error {
	var longest time.Duration
	for _, k := range keys(v.Actor().Address, login) {
		b, err := burdenOf(ctx, v, k.text)
		if err != nil {
			return err
		}
		longest = max(longest, b.until.Sub(v.Now()))
	}
	if longest <= 0 {
		return nil
	}
	return core.Errorf(core.Throttled, "too many failed attempts from your network; try again in %s", inWords(longest))
}

func inWords(d time.Duration) string {
	if minutes := (d + time.Minute - 1) / time.Minute; minutes > 1 {
		return fmt.Sprintf("%d minutes", minutes)
	}
	return "a minute"
}

var throttleRef = core.Ref{Kind: "throttle", ID: "login"}

// countFailure adds a failure to every key and forgets old ones, so that the
// rows are bounded by what argon2 lets through in a window.
func countFailure(ctx context.Context, tx *act.Tx, login string) error {
	if err := forgetBurdens(ctx, tx); err != nil {
		return err
	}
	for _, k := range keys(tx.Actor().Address, login) {
		b, err := burdenOf(ctx, &tx.View, k.text)
		if err != nil {
			return err
		}
		if err := setBurden(ctx, tx, k.text, b.more(tx.Now(), k.free)); err != nil {
			return err
		}
	}
	return tx.Record(ctx, "throttle.counted", throttleRef)
}

// forgive forgets the failures of this network with this name. Those of the
// network alone stay: an attacker may own an account here.
func forgive(ctx context.Context, tx *act.Tx, login string) error {
	gone, err := deleteBurden(ctx, tx, keys(tx.Actor().Address, login)[0].text)
	if err != nil || !gone {
		return err
	}
	return tx.Record(ctx, "throttle.cleared", throttleRef)
}
