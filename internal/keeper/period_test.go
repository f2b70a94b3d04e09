package keeper_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"hostward/internal/keeper"
	"hostward/internal/ledger"
)

const november = "address/2026-11"

func TestPersonalValuesOpenAgain(t *testing.T) {
	dir := t.TempDir()
	k := openAt(t, keeper.Config{Dir: dir})
	sealed := mustSeal(t, k, november, "r_1/ip", "192.0.2.7")
	blind := mustBlind(t, k, november, "192.0.2.7")
	k.Close()
	k = openAt(t, keeper.Config{Dir: dir})
	if plain, err := k.OpenPersonal(t.Context(), november, []byte("r_1/ip"), sealed); err != nil || string(plain) != "192.0.2.7" {
		t.Errorf("opened %q, %v", plain, err)
	}
	if again := mustBlind(t, k, november, "192.0.2.7"); !bytes.Equal(again, blind) || len(blind) != 16 {
		t.Errorf("blinded %x, then %x", blind, again)
	}
	if other := mustBlind(t, k, "address/2026-12", "192.0.2.7"); bytes.Equal(other, blind) {
		t.Error("two periods blind alike")
	}
	if twin := mustSeal(t, k, november, "r_1/ip", "192.0.2.7"); bytes.Equal(twin, sealed) {
		t.Error("the same value seals to the same bytes")
	}
}

func TestPersonalValuesCannotBeMovedOrAltered(t *testing.T) {
	k := openAt(t, keeper.Config{Dir: t.TempDir()})
	sealed := mustSeal(t, k, november, "r_1/ip", "192.0.2.7")
	mustSeal(t, k, "address/2026-12", "r_1/ip", "192.0.2.7")
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 0x40
		wantClosed(t, k, november, "r_1/ip", bad)
	}
	for i := range sealed {
		wantClosed(t, k, november, "r_1/ip", sealed[:i])
	}
	wantClosed(t, k, november, "r_2/ip", sealed)
	wantClosed(t, k, "address/2026-12", "r_1/ip", sealed)
}

func TestADroppedPeriodIsGoneForGood(t *testing.T) {
	dir := t.TempDir()
	k := openAt(t, keeper.Config{Dir: dir})
	sealed := mustSeal(t, k, november, "ad", "x")
	wrapped, err := os.ReadFile(filepath.Join(dir, "periods", "address_2026-11.key"))
	if err != nil {
		t.Fatal(err)
	}
	for _, period := range []string{november, november, "never/used"} {
		if err := k.DropPeriod(t.Context(), period); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		wantDropped(t, k, november, sealed)
		wantDropped(t, k, "never/used", sealed)
		k.Close()
		k = openAt(t, keeper.Config{Dir: dir})
	}
	wantNowhere(t, dir, wrapped)
}

// A crash between the mark and the removal: the next start removes.
func TestADropThatCrashedIsFinishedAtStart(t *testing.T) {
	dir := t.TempDir()
	k := openAt(t, keeper.Config{Dir: dir})
	sealed := mustSeal(t, k, november, "ad", "x")
	k.Close()
	base := filepath.Join(dir, "periods", "address_2026-11")
	if err := os.WriteFile(base+".gone", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wantDropped(t, openAt(t, keeper.Config{Dir: dir}), november, sealed)
	if _, err := os.Stat(base + ".key"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the key is still there: %v", err)
	}
}

func TestManyAtOnceShareOneKey(t *testing.T) {
	k := openAt(t, keeper.Config{Dir: t.TempDir()})
	var wg sync.WaitGroup
	blinds := make([]string, 16)
	for i := range blinds {
		wg.Go(func() {
			b, err := k.Blind(t.Context(), november, "x")
			if err != nil {
				t.Error(err)
			}
			blinds[i] = string(b)
		})
	}
	wg.Wait()
	for _, b := range blinds {
		if b != blinds[0] {
			t.Fatal("two keys were made for one period")
		}
	}
}

func TestRefusesStrangePeriods(t *testing.T) {
	k := openAt(t, keeper.Config{Dir: t.TempDir()})
	for _, period := range []string{"", "../x", "a//b", "A/2026", "a_b/2026-11", "/a", "a/", strings.Repeat("a", 41)} {
		if _, err := k.SealPersonal(t.Context(), period, nil, nil); err == nil || !strings.Contains(err.Error(), "is no period") {
			t.Errorf("%q: %v", period, err)
		}
	}
}

func BenchmarkSealPersonal(b *testing.B) {
	k, err := keeper.Open(keeper.Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer k.Close()
	for b.Loop() {
		if _, err := k.SealPersonal(b.Context(), november, []byte("r_1/ip"), []byte("192.0.2.7")); err != nil {
			b.Fatal(err)
		}
	}
}

func mustSeal(t *testing.T, k keeper.Keeper, period, ad, plain string) []byte {
	t.Helper()
	sealed, err := k.SealPersonal(t.Context(), period, []byte(ad), []byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func mustBlind(t *testing.T, k keeper.Keeper, period, text string) []byte {
	t.Helper()
	b, err := k.Blind(t.Context(), period, text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func wantClosed(t *testing.T, k keeper.Keeper, period, ad string, sealed []byte) {
	t.Helper()
	if plain, err := k.OpenPersonal(t.Context(), period, []byte(ad), sealed); err == nil {
		t.Errorf("%s %s %x opened to %q", period, ad, sealed, plain)
	}
}

func wantDropped(t *testing.T, k keeper.Keeper, period string, sealed []byte) {
	t.Helper()
	_, open := k.OpenPersonal(t.Context(), period, []byte("ad"), sealed)
	_, seal := k.SealPersonal(t.Context(), period, nil, nil)
	_, blind := k.Blind(t.Context(), period, "")
	for verb, err := range map[string]error{"open": open, "seal": seal, "blind": blind} {
		if !errors.Is(err, ledger.ErrPeriodDropped) {
			t.Errorf("%s in %s: %v, want ErrPeriodDropped", verb, period, err)
		}
	}
}

// wantNowhere fails when a file below dir still holds bytes.
func wantNowhere(t *testing.T, dir string, secret []byte) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, secret) {
			t.Errorf("%s still holds the key", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
