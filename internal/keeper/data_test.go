package keeper_test

import (
	"bytes"
	"encoding/base32"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"hostward/internal/core"
	"hostward/internal/keeper"
	"hostward/internal/ledger"
)

// noon is a time at the beginning of a step.
var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// seeded makes a TOTP seed and returns how to check a code of it.
func seeded(t *testing.T, k keeper.Keeper, ad string) (sealed []byte, seed string) {
	t.Helper()
	sealed, secret, err := k.NewTOTP(t.Context(), []byte(ad))
	if err != nil {
		t.Fatal(err)
	}
	return sealed, secret.Reveal()
}

func codeOf(t *testing.T, seed string, at time.Time) string {
	t.Helper()
	code, err := totp.GenerateCode(seed, at)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func accepts(t *testing.T, k keeper.Keeper, ad string, sealed []byte, code string, now time.Time, last int64) (int64, bool) {
	t.Helper()
	step, ok, err := k.CheckTOTP(t.Context(), []byte(ad), sealed, core.NewSecret(code), now, last)
	if err != nil {
		t.Fatal(err)
	}
	return step, ok
}

func TestACodeCountsOnceAndForAStep(t *testing.T) {
	k := openAt(t, keeper.Config{Dir: t.TempDir()})
	sealed, seed := seeded(t, k, "a_1")
	if raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(seed); err != nil || len(raw) != 20 {
		t.Fatalf("the seed has %d bytes, %v", len(raw), err)
	}
	code := codeOf(t, seed, noon)
	step, ok := accepts(t, k, "a_1", sealed, code[:3]+" "+code[3:], noon.Add(29*time.Second), 0)
	if !ok || step != noon.Unix()/30 {
		t.Errorf("the code of this step: %d, %v", step, ok)
	}
	if _, ok := accepts(t, k, "a_1", sealed, code, noon, step); ok {
		t.Error("a code counted twice")
	}
	if late, ok := accepts(t, k, "a_1", sealed, code, noon.Add(59*time.Second), 0); !ok || late != step {
		t.Error("the code of the step before is refused")
	}
	for name, c := range map[string]struct {
		code string
		now  time.Time
	}{
		"two steps old": {code, noon.Add(60 * time.Second)}, "of the next step": {codeOf(t, seed, noon.Add(30*time.Second)), noon},
		"empty": {"", noon}, "too short": {code[:5], noon}, "letters": {"abcdef", noon}, "twice": {code + code, noon},
	} {
		if _, ok := accepts(t, k, "a_1", sealed, c.code, c.now, 0); ok {
			t.Errorf("a code that is %s was accepted", name)
		}
	}
}

func TestASeedOpensForItsOwnerOnly(t *testing.T) {
	k := openAt(t, keeper.Config{Dir: t.TempDir()})
	sealed, seed := seeded(t, k, "a_1")
	code := core.NewSecret(codeOf(t, seed, noon))
	if _, _, err := k.CheckTOTP(t.Context(), []byte("a_2"), sealed, code, noon, 0); err == nil {
		t.Error("a seed was moved to another account")
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		if _, ok, err := k.CheckTOTP(t.Context(), []byte("a_1"), bad, code, noon, 0); err == nil || ok {
			t.Fatalf("byte %d was altered and nobody noticed", i)
		}
	}
	mail, err := k.Seal(t.Context(), keeper.Mail, []byte("a_1"), []byte(strings.Repeat("x", 20)))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := k.CheckTOTP(t.Context(), []byte("a_1"), mail, code, noon, 0); err == nil {
		t.Error("what was sealed for mail was used as a seed")
	}
}

func TestARenewedKeySealsAnewAndTheOldOneGoes(t *testing.T) {
	dir := t.TempDir()
	k := openAt(t, keeper.Config{Dir: dir})
	if n, err := k.Renew(t.Context(), keeper.TOTP); n != 0 || err != nil {
		t.Errorf("nothing was sealed, and the key is renewed to %d, %v", n, err)
	}
	sealed, seed := seeded(t, k, "a_1")
	n, err := k.Renew(t.Context(), keeper.TOTP)
	if n != 2 || err != nil {
		t.Fatalf("generation %d, %v", n, err)
	}
	code := codeOf(t, seed, noon)
	if _, ok := accepts(t, k, "a_1", sealed, code, noon, 0); !ok {
		t.Error("what the old key sealed does not open")
	}
	again, err := k.Reseal(t.Context(), keeper.TOTP, []byte("a_1"), sealed)
	if err != nil || bytes.Equal(again[:5], sealed[:5]) {
		t.Fatalf("sealed again as %x, %v", again, err)
	}
	if err := k.Retire(t.Context(), keeper.TOTP, n); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "data", "totp_1.key")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the old key is still there: %v", err)
	}
	k.Close()
	k = openAt(t, keeper.Config{Dir: dir})
	if _, ok := accepts(t, k, "a_1", again, code, noon, 0); !ok {
		t.Error("what was sealed again does not open")
	}
	if _, _, err := k.CheckTOTP(t.Context(), []byte("a_1"), sealed, core.NewSecret(code), noon, 0); err == nil {
		t.Error("the old value opens without its key")
	}
	if err := k.Retire(t.Context(), keeper.TOTP, 99); err != nil {
		t.Fatal(err)
	}
	if _, ok := accepts(t, k, "a_1", again, code, noon, 0); !ok {
		t.Error("the newest key was retired")
	}
}

// filled is a keeper with something under each kind of key.
type filled struct {
	keeper.Keeper
	seed             string
	sealed, personal []byte
}

func fill(t *testing.T, k keeper.Keeper) filled {
	t.Helper()
	f := filled{Keeper: k}
	f.sealed, f.seed = seeded(t, k, "a_1")
	f.personal = mustSeal(t, k, november, "r_1/ip", "192.0.2.7")
	mustSign(t, k, growLog(3).tree(1, 3), nil)
	return f
}

// reads wants k to read all that was written, and to sign on.
func (f filled) reads(t *testing.T, k keeper.Keeper) {
	t.Helper()
	if _, ok := accepts(t, k, "a_1", f.sealed, codeOf(t, f.seed, noon), noon, 0); !ok {
		t.Error("the seed does not open")
	}
	if plain, err := k.OpenPersonal(t.Context(), november, []byte("r_1/ip"), f.personal); err != nil || string(plain) != "192.0.2.7" {
		t.Errorf("the personal value opens as %q, %v", plain, err)
	}
	wantLast(t, k, growLog(3).tree(1, 3))
	mustSign(t, k, growLog(3).tree(1, 3), nil)
}

func TestANewSecretWrapsEveryKeyAndTheOldOneIsGone(t *testing.T) {
	dir := t.TempDir()
	f := fill(t, openAt(t, keeper.Config{Dir: dir}))
	secret, err := os.ReadFile(filepath.Join(dir, "secret.key"))
	if err != nil {
		t.Fatal(err)
	}
	before, _ := f.Status(t.Context())
	old, now, err := f.Rotate(t.Context())
	if err != nil || old != before.Secret || now == old {
		t.Fatalf("from %s to %s, was %s: %v", old, now, before.Secret, err)
	}
	f.reads(t, f)
	wantNowhere(t, dir, secret)
	f.Close()
	k := openAt(t, keeper.Config{Dir: dir})
	f.reads(t, k)
	if s, err := k.Status(t.Context()); err != nil || s.Secret != now || len(s.Keys) != 1 {
		t.Errorf("the status is %+v, %v", s, err)
	}
	k.Close()
	if err := os.WriteFile(filepath.Join(dir, "secret.key"), secret, 0o600); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, keeper.Config{Dir: dir}, "another secret key")
}

// A crash at any file of a rotation: both secrets are there, and the next start
// ends it.
func TestARotationThatCrashedIsFinishedAtStart(t *testing.T) {
	whole := t.TempDir()
	f := fill(t, openAt(t, keeper.Config{Dir: whole}))
	f.Close()
	files := []string{"checkpoint.key", "data/totp_1.key", "periods/address_2026-11.key"}
	for done := range len(files) + 1 {
		before, after := t.TempDir(), t.TempDir()
		copyAll(t, whole, before)
		copyAll(t, whole, after)
		k := openAt(t, keeper.Config{Dir: after})
		if _, _, err := k.Rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
		k.Close()
		copyFile(t, filepath.Join(after, "secret.key"), filepath.Join(before, "secret.key.next"))
		for _, name := range files[:done] {
			copyFile(t, filepath.Join(after, name), filepath.Join(before, name))
		}
		f.reads(t, openAt(t, keeper.Config{Dir: before}))
		if _, err := os.Stat(filepath.Join(before, "secret.key.next")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("after %d files: the new secret is not in its place: %v", done, err)
		}
		next, _ := os.ReadFile(filepath.Join(after, "secret.key"))
		if now, _ := os.ReadFile(filepath.Join(before, "secret.key")); !bytes.Equal(now, next) {
			t.Errorf("after %d files: the secret is not the new one", done)
		}
	}
}

func TestACredentialIsReplacedByTwoCredentials(t *testing.T) {
	dir, credentials := t.TempDir(), t.TempDir()
	put := func(name, key string) {
		if err := os.WriteFile(filepath.Join(credentials, name), []byte(key), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("hostward-secret", strings.Repeat("a", 32))
	f := fill(t, openAt(t, keeper.Config{Dir: dir, Credentials: credentials}))
	if _, _, err := f.Rotate(t.Context()); core.CodeOf(err) != core.Conflict || !strings.Contains(err.Error(), "hostward-secret-old") {
		t.Errorf("rotating a credential: %v", err)
	}
	f.Close()
	put("hostward-secret", strings.Repeat("b", 32))
	wantRefused(t, keeper.Config{Dir: dir, Credentials: credentials}, "another secret key")
	put("hostward-secret-old", strings.Repeat("a", 32))
	openAt(t, keeper.Config{Dir: dir, Credentials: credentials}).Close()
	if err := os.Remove(filepath.Join(credentials, "hostward-secret-old")); err != nil {
		t.Fatal(err)
	}
	k := openAt(t, keeper.Config{Dir: dir, Credentials: credentials})
	f.reads(t, k)
	if s, _ := k.Status(t.Context()); !s.Credential {
		t.Error("the secret does not count as a credential")
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func copyAll(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(to, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			err = os.Chmod(path, 0o600)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestATicketIsGoodForItsUseAndItsTime(t *testing.T) {
	k := openAt(t, keeper.Config{Dir: t.TempDir()})
	ticket, err := k.Ticket(t.Context(), "enter", []byte("s_1"), noon)
	if err != nil || len(ticket) != 40 {
		t.Fatalf("%d bytes, %v", len(ticket), err)
	}
	other := openAt(t, keeper.Config{Dir: t.TempDir()})
	for name, c := range map[string]struct {
		k       keeper.Keeper
		use, ad string
		ticket  []byte
		at      time.Time
		want    bool
	}{
		"good": {k, "enter", "s_1", ticket, noon.Add(299 * time.Second), true}, "late": {k, "enter", "s_1", ticket, noon.Add(300 * time.Second), false},
		"early": {k, "enter", "s_1", ticket, noon.Add(-time.Second), false}, "other use": {k, "enrol", "s_1", ticket, noon, false},
		"other data": {k, "enter", "s_2", ticket, noon, false}, "moved": {k, "enters", "_1", ticket, noon, false}, "cut": {k, "enter", "s_1", ticket[:39], noon, false},
		"none": {k, "enter", "s_1", nil, noon, false}, "other server": {other, "enter", "s_1", ticket, noon, false},
	} {
		if issued, ok, err := c.k.CheckTicket(t.Context(), c.use, []byte(c.ad), c.ticket, c.at, 5*time.Minute); err != nil || ok != c.want || ok && !issued.Equal(noon) {
			t.Errorf("%s: %v, %v", name, ok, err)
		}
	}
	for i := range ticket {
		bad := bytes.Clone(ticket)
		bad[i] ^= 1
		if _, ok, _ := k.CheckTicket(t.Context(), "enter", []byte("s_1"), bad, noon.Add(time.Minute), 5*time.Minute); ok {
			t.Fatalf("byte %d was altered and nobody noticed", i)
		}
	}
}

var _ ledger.Keys = keeper.Keeper(nil)

// TestARotationThatFailedIsFinishedByTheNext has one file that cannot be wrapped
// again, and makes a key meanwhile: the second rotation ends the first, and every
// key opens.
func TestARotationThatFailedIsFinishedByTheNext(t *testing.T) {
	dir := t.TempDir()
	k := openAt(t, keeper.Config{Dir: dir})
	sealed, err := k.Seal(t.Context(), keeper.TOTP, []byte("a"), []byte("seed"))
	if err != nil {
		t.Fatal(err)
	}
	stray := filepath.Join(dir, "data", "mail_1.key")
	if err := os.WriteFile(stray, []byte("no key at all"), 0o600); err != nil {
		t.Fatal(err)
	}
	old, now, err := k.Rotate(t.Context())
	if err == nil {
		t.Fatal("it wrapped what is no key")
	}
	if _, err := k.Seal(t.Context(), keeper.TSIG, []byte("b"), []byte("key")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := k.Rotate(t.Context()); err == nil {
		t.Fatal("it is said to be done")
	}
	if err := os.Remove(stray); err != nil {
		t.Fatal(err)
	}
	again, next, err := k.Rotate(t.Context())
	if err != nil || again != old || next != now {
		t.Fatalf("%s to %s, %v; want the first, %s to %s", again, next, err, old, now)
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	k = openAt(t, keeper.Config{Dir: dir})
	if _, err := k.Reseal(t.Context(), keeper.TOTP, []byte("a"), sealed); err != nil {
		t.Error(err)
	}
}
