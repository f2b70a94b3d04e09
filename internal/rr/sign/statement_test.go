package sign_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"hostward/internal/rr"
	"hostward/internal/rr/sign"
)

// recorder keeps what it is asked to sign.
type recorder struct {
	mu       sync.Mutex
	messages [][]byte
}

func (r *recorder) Sign(ctx context.Context, message []byte) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.messages = append(r.messages, append([]byte{}, message...))
	return mark(1).Sign(ctx, message)
}

func recorded(t testing.TB, file string) (*sign.Zone, [][]byte) {
	key, r := csk(sign.Ed25519), &recorder{}
	key[0].Signer = r
	return signed(t, sign.Config{Origin: zones[file], Keys: key}, sample(t, file), now), r.messages
}

func TestASignerCanReadWhatItSigns(t *testing.T) {
	for file, origin := range zones {
		z, messages := recorded(t, file)
		left := map[rr.Key]sign.Signed{}
		for s := range z.Sets() {
			if len(s.Sigs) > 0 {
				left[s.Key()] = s
			}
		}
		for _, m := range messages {
			s, err := sign.ReadStatement(m)
			if err != nil {
				t.Fatal(err)
			}
			k := rr.Key{Name: s.Owner, Type: s.Type}
			set := left[k]
			if s.Signer != origin || s.OriginalTTL != set.TTL || s.Records != len(set.Data) || s.Inception != now.Add(-time.Hour) || !s.Expiration.Equal(expiration(t, set.Sigs[0])) {
				t.Errorf("%+v is not %+v", s, set)
			}
			delete(left, k)
		}
		if len(left) > 0 {
			t.Errorf("nobody signed %v", left)
		}
	}
}

func FuzzReadStatement(f *testing.F) {
	_, messages := recorded(f, "odd.example.zone")
	for _, m := range messages {
		f.Add(m)
	}
	f.Fuzz(func(t *testing.T, m []byte) {
		s, err := sign.ReadStatement(m)
		if err == nil && (s.Records == 0 || !s.Owner.Under(s.Signer)) {
			t.Errorf("%+v", s)
		}
	})
}

func TestAStatementIsNothingLessAndNothingMore(t *testing.T) {
	_, messages := recorded(t, "apex.example.zone")
	for _, m := range messages {
		for cut := range m {
			if s, err := sign.ReadStatement(m[:cut]); err == nil {
				t.Fatalf("%d of %d octets are read as %+v", cut, len(m), s)
			}
		}
		if _, err := sign.ReadStatement(append(m, 0)); err == nil {
			t.Fatal("an octet too much was not noticed")
		}
	}
}
