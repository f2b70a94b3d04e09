package literal_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"hostward/internal/jail/literal"
)

func TestEveryWordIsFoundAndNoOther(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	letters := func(n int) string {
		var b strings.Builder
		for range n {
			b.WriteByte("abc\x00\xff"[random.IntN(5)])
		}
		return b.String()
	}
	for range 2000 {
		words := make([][]string, 1+random.IntN(8))
		for i := range words {
			for range random.IntN(3) {
				words[i] = append(words[i], letters(1+random.IntN(4)))
			}
		}
		set := literal.New(words)
		text := letters(random.IntN(20))
		found := set.Find([]byte(text))
		for i, list := range words {
			want := len(list) == 0
			for _, word := range list {
				want = want || strings.Contains(text, word)
			}
			if found.Has(i) != want {
				t.Fatalf("words %q in %q: %d is %v, want %v", words, text, i, found.Has(i), want)
			}
		}
	}
}
