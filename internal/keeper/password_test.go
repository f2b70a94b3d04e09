package keeper_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hostward/internal/core"
	"hostward/internal/keeper"
)

const lane = "192.0.2.7"

func check(t *testing.T, k keeper.Keeper, phc, password string) (ok, rehash bool, err error) {
	t.Helper()
	return k.CheckPassword(t.Context(), lane, false, phc, core.NewSecret(password))
}

func TestChecksPasswords(t *testing.T) {
	k := openAt(t, keeper.Config{Dir: t.TempDir()})
	phc, err := k.HashPassword(t.Context(), lane, false, core.NewSecret("correct horse"))
	if err != nil || !strings.HasPrefix(phc, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Fatalf("%s, %v", phc, err)
	}
	if ok, rehash, err := check(t, k, phc, "correct horse"); !ok || rehash || err != nil {
		t.Errorf("the right one: %v, %v, %v", ok, rehash, err)
	}
	for _, wrong := range []string{"", "Correct horse", "correct horse ", strings.Repeat("x", 5000)} {
		if ok, _, err := check(t, k, phc, wrong); ok || err != nil {
			t.Errorf("%.20q: %v, %v", wrong, ok, err)
		}
	}
	if again, _ := k.HashPassword(t.Context(), lane, false, core.NewSecret("correct horse")); again == phc {
		t.Error("two hashes have one salt")
	}
}

func TestTheSameCharactersAreTheSamePassword(t *testing.T) {
	k := openAt(t, keeper.Config{Dir: t.TempDir()})
	phc, err := k.HashPassword(t.Context(), lane, false, core.NewSecret("Gr\u00FC\u00DFe aus Stra\u00DFburg"))
	if err != nil {
		t.Fatal(err)
	}
	if ok, _, err := check(t, k, phc, "Gru\u0308\u00DFe aus Stra\u00DFburg"); !ok || err != nil {
		t.Errorf("composed otherwise: %v, %v", ok, err)
	}
}

// Made by Debian's argon2 tool 0~20171227: printf swordfish | argon2 saltsalt -id -t 1 -k 1024 -p 2 -l 16 -e.
const foreign = "$argon2id$v=19$m=1024,t=1,p=2$c2FsdHNhbHQ$uEJubXNoI+6oBjNpaElxgA"

func TestAForeignHashIsTakenAndToBeRenewed(t *testing.T) {
	k := openAt(t, keeper.Config{Dir: t.TempDir()})
	if ok, rehash, err := check(t, k, foreign, "swordfish"); !ok || !rehash || err != nil {
		t.Errorf("%v, %v, %v", ok, rehash, err)
	}
	if ok, rehash, _ := check(t, k, foreign, "sword"); ok || rehash {
		t.Errorf("wrong password: %v, %v", ok, rehash)
	}
}

func TestRefusesStrangeHashes(t *testing.T) {
	k := openAt(t, keeper.Config{Dir: t.TempDir()})
	for _, phc := range []string{
		"x", "$argon2i$v=19$m=1024,t=1,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA",
		"$argon2id$v=19$m=99999999,t=1,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA",
		"$argon2id$v=19$m=1024,t=99,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA",
		"$argon2id$v=19$m=1024,t=0,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA",
		"$argon2id$v=19$m=1024,t=1,p=0$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA",
		"$argon2id$v=19$m=1024,t=1,p=1$c2FsdHNhbHQ$", "$argon2id$v=19$m=1024,t=1,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA$x",
		"$argon2id$v=19$m=1024,t=1,p=1$!$c2FsdHNhbHRzYWx0c2FsdA", "$2a$10$abcdefghijklmnopqrstuv",
	} {
		if ok, _, err := check(t, k, phc, ""); ok || err == nil {
			t.Errorf("%s: %v, %v", phc, ok, err)
		}
	}
}

// An unknown user takes the time of a known one: not less than half of it,
// measured side by side, best of several.
func TestUnknownUsersTakeAsLong(t *testing.T) {
	k := openAt(t, keeper.Config{Dir: t.TempDir()})
	phc, err := k.HashPassword(t.Context(), lane, false, core.NewSecret("x"))
	if err != nil {
		t.Fatal(err)
	}
	known, unknown := time.Hour, time.Hour
	for range 5 {
		known = min(known, took(t, k, phc))
		unknown = min(unknown, took(t, k, ""))
	}
	if unknown < known/2 || unknown > known*2 {
		t.Errorf("known %v, unknown %v", known, unknown)
	}
}

func took(t *testing.T, k keeper.Keeper, phc string) time.Duration {
	begin := time.Now()
	if ok, _, err := check(t, k, phc, "y"); ok || err != nil {
		t.Fatal(ok, err)
	}
	return time.Since(begin)
}

func TestWaitingForACoreEndsWithTheCaller(t *testing.T) {
	k := openAt(t, keeper.Config{Dir: t.TempDir(), Hashers: 1})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := k.HashPassword(ctx, lane, false, core.NewSecret("x")); err == nil {
		t.Error("hashed for a caller who is gone")
	}
}

// Ten thousand log-ins at once from one network, and as many from others: the
// line stays short, and whom we know gets through (SPEC A8).
func TestAFloodOfLogInsFillsOnlyItsLane(t *testing.T) {
	k := openAt(t, keeper.Config{Dir: t.TempDir(), Hashers: 1})
	ctx, cancel := context.WithCancel(t.Context())
	var busy, over atomic.Int64
	var flood sync.WaitGroup
	for i := range 10_000 {
		flood.Go(func() {
			from := lane
			if i%2 == 0 {
				from = fmt.Sprint("network ", i)
			}
			_, _, err := k.CheckPassword(ctx, from, false, "", core.NewSecret("x"))
			switch {
			case core.CodeOf(err) == core.Throttled && err != nil:
				busy.Add(1)
			case err != nil:
				over.Add(1)
			}
		})
	}
	if _, _, err := k.CheckPassword(t.Context(), "account", true, "", core.NewSecret("x")); err != nil {
		t.Errorf("somebody we know is turned away: %v", err)
	}
	cancel()
	flood.Wait()
	if busy.Load() < 9000 {
		t.Errorf("%d of 10000 were turned away at once, %d gave up waiting", busy.Load(), over.Load())
	}
	if _, _, err := k.CheckPassword(t.Context(), lane, false, "", core.NewSecret("x")); err != nil {
		t.Errorf("after the flood: %v", err)
	}
}

func TestLongPasswordsAreRefusedByName(t *testing.T) {
	k := openAt(t, keeper.Config{Dir: t.TempDir()})
	_, err := k.HashPassword(t.Context(), lane, false, core.NewSecret(strings.Repeat("secret", 1000)))
	if core.CodeOf(err) != core.Invalid || strings.Contains(err.Error(), "secretsecret") {
		t.Errorf("%v", err)
	}
}
