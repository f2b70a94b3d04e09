package cli_test

import (
	"html"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"hostward/internal/face/cli"
	"hostward/internal/face/rest/resttest"
)

// TestTheExamplesOfTheAPIDocumentationParse holds the page of the REST face
// against the commands that there really are.
func TestTheExamplesOfTheAPIDocumentationParse(t *testing.T) {
	rig := resttest.New(t)
	w := httptest.NewRecorder()
	rig.Handler(t, rig.Config()).ServeHTTP(w, httptest.NewRequest("GET", "/api/v1/docs", nil))
	examples := regexp.MustCompile(`<code>hostward ([^<]+)</code>`).FindAllStringSubmatch(w.Body.String(), -1)
	if len(examples) < 10 {
		t.Fatalf("only %d examples", len(examples))
	}
	for _, m := range examples {
		root := cli.New(cli.Config{Registry: rig.Registry})
		words := split(html.UnescapeString(m[1]))
		c, rest, err := root.Find(words)
		if err != nil {
			t.Errorf("%q: %v", m[1], err)
			continue
		}
		if err := c.ParseFlags(rest); err != nil {
			t.Errorf("%q: %v", m[1], err)
			continue
		}
		if err := c.ValidateArgs(c.Flags().Args()); err != nil {
			t.Errorf("%q: %v", m[1], err)
		}
	}
}

// split takes a line apart as a shell does, as far as the examples go.
func split(line string) []string {
	var words []string
	for _, m := range regexp.MustCompile(`'([^']*)'|(\S+)`).FindAllStringSubmatch(line, -1) {
		words = append(words, strings.TrimSpace(m[1]+m[2]))
	}
	return words
}
