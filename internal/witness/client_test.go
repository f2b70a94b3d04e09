package witness_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"hostward/internal/witness"
)

// answering is a witness that always says the same.
func answering(t *testing.T, status int, kind, answer string) string {
	t.Helper()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		fmt.Fprint(w, answer)
	}))
	t.Cleanup(web.Close)
	return web.URL
}

func TestTellsRefusalsApart(t *testing.T) {
	l := newLog(20)
	_, key, err := witness.GenerateKey("w")
	if err != nil {
		t.Fatal(err)
	}
	stranger := serve(t, l)
	line := mustSubmit(t, stranger.client(t), l, 0, 20).Line
	for name, c := range map[string]struct {
		status       int
		kind, answer string
		want         string
	}{
		"unknown log":           {404, "", "", witness.ErrUnknownLog.Error()},
		"untrusted":             {403, "", "", witness.ErrUntrusted.Error()},
		"fork":                  {422, "", "", witness.ErrInconsistent.Error()},
		"fork, older witnesses": {409, "text/plain", "", witness.ErrInconsistent.Error()},
		"behind":                {409, "text/x.tlog.size", "7\n", "the witness has seen 7 records, not 3"},
		"ahead":                 {409, "text/x.tlog.size; charset=utf-8", "77\n", "the witness has seen 77 records, offered were 20"},
		"size without a number": {409, "text/x.tlog.size", "-7\n", "strangely"},
		"failing":               {500, "", "out of order", `500 Internal Server Error: "out of order"`},
		"redirect":              {302, "", "", "302 Found"},
		"no signature":          {200, "", "", "holds no cosignature"},
		"somebody's signature":  {200, "", line, "holds no cosignature"},
		"nonsense":              {200, "", "hello\n", "holds no cosignature"},
		"an endless one":        {200, "", strings.Repeat("x", 1<<20), "holds no cosignature"},
	} {
		_, err := submit(clientOf(t, answering(t, c.status, c.kind, c.answer), key), l, 3, 20)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestTakesNoCosignatureOfAnotherTree(t *testing.T) {
	l := newLog(20)
	r := serve(t, l)
	line := mustSubmit(t, r.client(t), l, 0, 10).Line
	if _, err := submit(clientOf(t, answering(t, 200, "", line), r.key), l, 10, 20); err == nil {
		t.Error("took the cosignature of a smaller tree")
	}
}

func TestLatestIsVerified(t *testing.T) {
	l := newLog(20)
	r := serve(t, l)
	if got, err := r.client(t).Latest(t.Context(), l.key(1)); got != nil || err != nil {
		t.Errorf("before the first: %q, %v", got, err)
	}
	line := mustSubmit(t, r.client(t), l, 0, 10).Line
	good := string(l.sign(l.tree(1, 10))) + line
	for name, answer := range map[string]string{
		"without the log's signature":     l.tree(1, 10).Root.String() + "\n\n" + line,
		"without the witness's signature": string(l.sign(l.tree(1, 10))),
		"altered":                         strings.Replace(good, "\n10\n", "\n11\n", 1),
		"nothing":                         "",
	} {
		if got, err := clientOf(t, answering(t, 200, "", answer), r.key).Latest(t.Context(), l.key(1)); err == nil {
			t.Errorf("%s: took %q", name, got)
		}
	}
	if got, err := clientOf(t, answering(t, 200, "", good), r.key).Latest(t.Context(), l.key(1)); err != nil || string(got) != good {
		t.Errorf("%q, %v", got, err)
	}
}

func TestConnectsToPublicAddressesOnly(t *testing.T) {
	l := newLog(3)
	r := serve(t, l)
	for _, url := range []string{r.url, strings.Replace(r.url, "127.0.0.1", "localhost", 1)} {
		c, err := witness.NewClient(url, r.key, false)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := submit(c, l, 0, 3); err == nil || !strings.Contains(err.Error(), "private or local") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestRefusesStrangeAddressesAndKeys(t *testing.T) {
	_, key, err := witness.GenerateKey("w")
	if err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{"", "w.example.org", "ftp://w", "https://", "https://u:p@w/", "https://w/?x", "https://w/#x", "file:///etc"} {
		if _, err := witness.NewClient(url, key, false); err == nil {
			t.Errorf("took the address %q", url)
		}
	}
	for _, bad := range []string{"", "w", key + "A", "x" + key, newLog(1).key(1), strings.Replace(key, "+", "+0", 1)} {
		if _, err := witness.NewClient("https://w/", bad, false); err == nil {
			t.Errorf("took the key %q", bad)
		}
	}
}

func TestGeneratedKeys(t *testing.T) {
	secret, key, err := witness.GenerateKey("witness.example.org/w1")
	if err != nil {
		t.Fatal(err)
	}
	k, err := witness.ParseKey(secret + "\n")
	if err != nil || k.Name() != "witness.example.org/w1" || k.Verifier() != key {
		t.Errorf("%v, %v", k, err)
	}
	for _, bad := range []string{"", key, secret[:len(secret)-4], strings.Replace(secret, "w1", "w2", 1)} {
		if _, err := witness.ParseKey(bad); err == nil || bad != "" && strings.Contains(err.Error(), bad) {
			t.Errorf("%v", err)
		}
	}
	for _, name := range []string{"", "a b", "a+b", "a\n", "\xff"} {
		if _, _, err := witness.GenerateKey(name); err == nil {
			t.Errorf("took the name %q", name)
		}
	}
}

// The example of tlog-witness is not by keys anyone has; it parses, and so
// comes as far as the log that nobody knows.
func TestReadsTheExampleOfTheSpecification(t *testing.T) {
	r := serve(t, newLog(1))
	status, _, answer := post(t, r, `old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=
`)
	if status != 404 {
		t.Errorf("%d %s", status, answer)
	}
}

func FuzzAddCheckpoint(f *testing.F) {
	l := newLog(20)
	secret, _, err := witness.GenerateKey("w")
	if err != nil {
		f.Fatal(err)
	}
	s, err := witness.New(witness.Config{Key: secret, Dir: f.TempDir(), Logs: []string{l.key(1)}})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	f.Add(body(10, l.proof(10, 20), l.sign(l.tree(1, 20))))
	f.Add("old 0\n\n\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, httptest.NewRequest("POST", "/add-checkpoint", strings.NewReader(text)))
		switch rec.Code {
		case 200:
			if !strings.Contains(text, string(l.sign(l.tree(1, 20)))) {
				t.Fatalf("cosigned %q", text)
			}
		case 500:
			t.Fatalf("%q: %s", text, rec.Body)
		}
	})
}
