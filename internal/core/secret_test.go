package core_test

import (
	"testing"

	"hostward/internal/core"
)

func TestWhatIsMarkedAsPlainTextIsKnownInAnyCase(t *testing.T) {
	for kept, want := range map[string]string{"{PLAIN}a b": "a b", "{plain}x": "x", "{Plain}": "", "{PLAIN}{PLAIN}x": "{PLAIN}x"} {
		if s, plain := core.CutPlain(kept); !plain || s.Reveal() != want {
			t.Errorf("%q: %q, %v", kept, s.Reveal(), plain)
		}
	}
	for _, kept := range []string{"", "{PLAIN", "$argon2id$v=19$", " {PLAIN}x", "x{PLAIN}"} {
		if s, plain := core.CutPlain(kept); plain || !s.Empty() {
			t.Errorf("%q is taken for plain text", kept)
		}
	}
}
