package apache

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// A line that is replaced stays in the file, in a comment that holds all of it:
//
//	# Hostward 1a2b3c4d5e6f: sites choose no handlers here; it was: AllowOverride All
//	AllowOverride AuthConfig Indexes Limit
//	AllowOverrideList ErrorDocument Header …
//
// The figure is of the one or two lines below. If somebody edits them, theirs is what
// holds from then on, and what comes back in the end: an edit is never lost.
const (
	markBegin = "# Hostward "
	markSays  = ": sites choose no handlers here; it was:"
	mostBelow = 2
)

func markOf(lines string) string {
	sum := sha256.Sum256([]byte(lines))
	return hex.EncodeToString(sum[:6])
}

// put replaces original, which ends with its line, by other lines.
func put(original string, says []string) string {
	indent := original[:len(original)-len(strings.TrimLeft(original, " \t"))]
	end := "\n"
	if strings.HasSuffix(original, "\r\n") {
		end = "\r\n"
	}
	var lines strings.Builder
	for _, l := range says {
		lines.WriteString(indent + l + end)
	}
	return markBegin + markOf(lines.String()) + markSays + original + lines.String()
}

// replacement is a line of an original that others stand for.
type replacement struct {
	line int // in the original
	by   int // lines, besides the comment
}

// original returns a file as it was before lines in it were replaced, and which.
func original(text string) (string, []replacement) {
	if !strings.Contains(text, markSays) {
		return text, nil
	}
	var out strings.Builder
	var at []replacement
	copied := 0
	for l := range logical(text) {
		sum, was, ok := mark(text[l.start:l.end])
		if !ok || l.start < copied {
			continue
		}
		out.WriteString(text[copied:l.start])
		copied = l.end
		if lines := below(text[l.end:], sum); lines != "" {
			at = append(at, replacement{strings.Count(out.String(), "\n") + 1, strings.Count(lines, "\n")})
			out.WriteString(was)
			copied += len(lines)
		}
	}
	out.WriteString(text[copied:])
	return out.String(), at
}

// mark reads the comment above a replaced line.
func mark(comment string) (sum, was string, ok bool) {
	rest, ok := strings.CutPrefix(comment, markBegin)
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, markSays)
}

// below returns the lines that belong to a mark; "" if they were edited.
func below(text, sum string) string {
	end := 0
	for range mostBelow {
		i := strings.IndexByte(text[end:], '\n')
		if i < 0 {
			return ""
		}
		if end += i + 1; markOf(text[:end]) == sum {
			return text[:end]
		}
	}
	return ""
}

// now is the number that a line of the original has in the file today.
func now(no int, replaced []replacement) int {
	shift := 0
	for _, r := range replaced {
		if r.line < no {
			shift += r.by
		}
		if r.line == no {
			return no + shift + 1 // the first of them
		}
	}
	return no + shift
}

// dropIn is the text of the file that says everything again for the main server.
func dropIn(blocks []string) string {
	if len(blocks) == 0 {
		return ""
	}
	return fmt.Sprintf("# Written by Hostward, page /handlers: sites do not choose handlers by .htaccess.\n"+
		"# It says again what the main server's sections allow, without the handlers.\n\n%s", strings.Join(blocks, "\n"))
}
