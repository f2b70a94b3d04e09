package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"hostward/internal/core"
)

// example computes everything that the worked example of the document shows.
func example(t *testing.T) string {
	var b strings.Builder
	at := time.Date(2026, 11, 22, 17, 4, 5, 123456000, time.UTC).UnixMicro()
	opening := func(path, value string, salt byte) Opening {
		return Opening{Path: path, Value: value, Salt: bytes.Repeat([]byte{salt}, saltSize)}
	}
	zone := core.Ref{Kind: "zone", ID: "z_1"}
	state := func(s string) string { sum := sha256.Sum256([]byte(s)); return hex.EncodeToString(sum[:]) }
	value := func(s string) *string { return &s }
	var openings []Opening
	commit := func(path, v string, salt byte) string {
		o := opening(path, v, salt)
		openings = append(openings, o)
		return o.Commit()
	}
	first := Leaf{
		ID: "r_1", Time: at, Action: "zone.create", Class: "dns", Door: "web",
		Actor:  Party{"account", "a_7", commit("actor.name", "Änne", 1)},
		IP:     commit("ip", "192.0.2.7", 2),
		Object: zone, Tenant: "a_7", Outcome: Done,
		Events: []Fact{{Name: "zone.created", Object: zone, Fields: []Field{
			{Name: "name", New: value("example.org")},
			{Name: "contact", Personal: true, New: value(commit("events.0.fields.1.new", "anne@example.org", 3))},
			{Name: "key", Secret: true},
		}}},
		Objects: []Link{{Object: zone, Tenant: "a_7", N: 1, State: state("state one")}},
		Tenants: []TenantLink{{ID: "a_7", N: 1}},
	}
	leaves := [][]byte{first.AppendJSON(nil)}
	hash := func(i int) string { return hexHash(LeafHash(leaves[i])) }
	second := Leaf{
		ID: "r_2", Time: at + 1e6, Action: "session.start", Class: "authentication", Door: "rest", Actor: Party{Kind: "stranger"},
		Outcome: Refused, Code: core.Unauthenticated, Reason: "not \"right\":\n\\ \u0001", Count: 12, First: at,
	}
	leaves = append(leaves, second.AppendJSON(nil))
	third := Leaf{
		ID: "r_3", Time: at + 2e6, Action: "zone.delete", Class: "dns", Door: "cli", Actor: Party{Kind: "os", ID: "0"}, By: Party{Kind: "account", ID: "a_1"},
		Object: zone, Outcome: Done, Events: []Fact{{Name: "zone.deleted", Object: zone}},
		Objects: []Link{{Object: zone, Tenant: "a_7", N: 2, Prev: hash(0)}},
		Tenants: []TenantLink{{ID: "a_7", N: 2, Prev: hash(0)}},
	}
	leaves = append(leaves, third.AppendJSON(nil))

	fmt.Fprintf(&b, "openings (path, salt, value, commitment):\n")
	for _, o := range openings {
		fmt.Fprintf(&b, "  %s %x %q\n    %s\n", o.Path, o.Salt, o.Value, o.Commit())
	}
	e := &edge{}
	for i, leaf := range leaves {
		fmt.Fprintf(&b, "leaf %d:\n%s\nleaf hash %d: %s\n", i, leaf, i, hash(i))
		e.append(LeafHash(leaf), func(int, int64, []tlog.Hash) {})
	}
	lines := []HeadLine{
		{Object: zone, Tenant: "a_7", N: 2, Leaf: hash(2)},
		{Tenant: "a_7", N: 2, Leaf: hash(2)},
	}
	roots := make([]tlog.Hash, Buckets)
	buckets := map[int][]HeadLine{}
	for _, l := range lines {
		fmt.Fprintf(&b, "heads line in bucket %d:\n%s\n", bucketOf(l.key()), l.JSON())
		buckets[bucketOf(l.key())] = append(buckets[bucketOf(l.key())], l)
	}
	for i := range roots {
		roots[i] = bucketRoot(buckets[i])
	}
	fmt.Fprintf(&b, "heads root below 3: %s\n", hexHash(mapRoot(roots)))
	seed := sha256.Sum256([]byte("hostward example key"))
	skey, vkey, err := note.GenerateKey(bytes.NewReader(seed[:]), "log.example.org")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := note.Sign(&note.Note{Text: FormatCheckpoint("log.example.org", Tree{1, 3, e.root()})}, signer)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&b, "verifier key: %s\ncheckpoint:\n%s", vkey, signed)
	return b.String()
}

// TestTheDocumentShowsWhatTheCodeDoes; UPDATE=1 writes the example anew.
func TestTheDocumentShowsWhatTheCodeDoes(t *testing.T) {
	const path = "../../docs/log-format.md"
	const begin, end = "<!-- example, made by doc_test.go -->\n```text\n", "```\n<!-- end of example -->"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(data), begin)
	shown, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("%s has no worked example", path)
	}
	want := example(t)
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if shown != want {
		t.Errorf("the example in %s is not what the code produces; run the test with UPDATE=1 and read the difference", path)
	}
}
