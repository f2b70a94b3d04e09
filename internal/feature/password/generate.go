package password

import (
	"crypto/rand"
	"strings"

	"hostward/internal/core"
)

// A generated password is five made-up words of three syllables, such as
// "bamuno-…": easy to read aloud and to type on any keyboard, in lower case. A
// syllable is one of 16 consonants and one of 4 vowels, 6 bits, so that five
// words have 90.
const (
	consonants = "bdfghjklmnprstvz"
	vowels     = "aeiu"
	syllables  = 3
	wordCount  = 5
)

func generate() core.Secret {
	random := make([]byte, syllables*wordCount)
	_, _ = rand.Read(random) // never fails: crypto/rand ends the program instead
	var b strings.Builder
	for i, r := range random {
		if i > 0 && i%syllables == 0 {
			b.WriteByte('-')
		}
		b.WriteByte(consonants[r>>4])
		b.WriteByte(vowels[r&3])
	}
	return core.NewSecret(b.String())
}
