package login_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	"hostward/internal/act"
	"hostward/internal/core"
)

// rows is every credential as it is kept.
func rows(h *house) (all []string) {
	h.T.Helper()
	s, err := h.Store.Snapshot(context.Background())
	if err != nil {
		h.T.Fatal(err)
	}
	defer s.Close()
	list, err := s.Query(context.Background(), `SELECT account, phc, judged, weak FROM login_credential ORDER BY account`)
	if err != nil {
		h.T.Fatal(err)
	}
	defer list.Close()
	for list.Next() {
		var c [4]sql.NullString
		if err := list.Scan(&c[0], &c[1], &c[2], &c[3]); err != nil {
			h.T.Fatal(err)
		}
		all = append(all, fmt.Sprint(c))
	}
	return all
}

// plain moves a password here from elsewhere, as it stands.
func plain(h *house, a act.Actor, text string) {
	h.T.Helper()
	h.Behind(`DELETE FROM login_credential WHERE account = $1`, a.ID)
	h.Behind(`INSERT INTO login_credential (account, phc, changed, failures, failed) VALUES ($1, $2, 1, 0, 0)`, a.ID, text)
}

func waits(h *house) (waits bool) {
	h.T.Helper()
	err := h.Look(context.Background(), "test", func(v *act.View) (err error) {
		waits, err = h.Logins.Plain(context.Background(), v)
		return err
	})
	if err != nil {
		h.T.Fatal(err)
	}
	return waits
}

func enclosed(h *house) int {
	h.T.Helper()
	n, err := h.Logins.Enclose(context.Background(), h.Bus)
	if err != nil {
		h.T.Fatal(err)
	}
	return n
}

// TestNobodyGetsInWithAPlainPasswordBeforeItIsEnclosed: and nothing tells that one is kept.
func TestNobodyGetsInWithAPlainPasswordBeforeItIsEnclosed(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		session := h.Create(root, "shop", "customer", "provider")
		moved := "a moved password of many words"
		plain(h, session, "{PLAIN}"+moved)
		if !waits(h) {
			t.Error("nothing is said to wait")
		}
		absent := h.Refused(core.Unauthenticated, from(1), "login.enter", input{"login": "nobody", "password": moved})
		for i, password := range []string{moved, "{PLAIN}" + moved, good} {
			if said := h.Refused(core.Unauthenticated, from(i+2), "login.enter", input{"login": "shop", "password": password}); said != absent {
				t.Errorf("it is said %q, of nobody %q", said, absent)
			}
		}
		h.Refused(core.Invalid, session, "session.prove", input{"password": moved})
		h.Refused(core.Invalid, session, "password.change", input{"old_password": moved, "new_password": other})
		if n := enclosed(h); n != 1 || waits(h) {
			t.Errorf("%d were enclosed; one waits: %v", n, waits(h))
		}
		r := h.Must(stranger, "login.enter", input{"login": "shop", "password": moved})
		if judged(r) != "good" {
			t.Errorf("it is not held against what is asked: %+v", r.Changes)
		}
		if n := enclosed(h); n != 0 {
			t.Errorf("%d were enclosed once more", n)
		}
	})
}

// TestNothingOfAPlainPasswordStays looks for it in rows, records, the operator's log
// and, once they are written anew, the files.
func TestNothingOfAPlainPasswordStays(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		var moved []string
		for i := range 3 {
			a := h.Create(root, fmt.Sprint("shop", i), "customer", "provider")
			moved = append(moved, fmt.Sprintf("the moved password %d of many words", i))
			plain(h, a, "{PLAIN}"+moved[i])
		}
		if n := enclosed(h); n != 3 {
			t.Errorf("%d were enclosed", n)
		}
		l := h.Last()
		if l.Action != "credential.enclose" || l.Actor.Kind != "system" || l.Outcome != "done" || len(l.Events) != 3 {
			t.Errorf("recorded as %+v", l)
		}
		for _, e := range l.Events {
			if e.Name != "credential.enclosed" || len(e.Fields) != 1 || !e.Fields[0].Secret || e.Fields[0].New != nil || e.Fields[0].Old != nil {
				t.Errorf("recorded as %+v", e)
			}
		}
		if err := h.Store.Scrub(t.Context()); err != nil {
			t.Fatal(err)
		}
		kept := strings.Join(rows(h), "\n") + h.Everything()
		if n := strings.Count(strings.Join(rows(h), "\n"), "$argon2id$"); n != 4 || strings.Contains(kept, "{PLAIN}") {
			t.Errorf("%d hashes, or a mark is left", n)
		}
		for _, text := range moved {
			if strings.Contains(kept, text) {
				t.Errorf("%q is kept", text)
			}
		}
		enter(h, "shop1", moved[1])
	})
}

// TestOddPlainPasswordsAreEnclosedToo: whoever moved them wrote them by hand.
func TestOddPlainPasswordsAreEnclosedToo(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		long := strings.Repeat("long ", 2000)
		for name, kept := range map[string]string{"lower": "{plain}" + other, "mixed": "{Plain}" + other, "empty": "{PLAIN}", "twice": "{PLAIN}{PLAIN}" + other, "long": "{PLAIN}" + long, "letters": "{PLAIN}fünf braune Hühner auf der Leiter", "weak": "{PLAIN}secret"} {
			plain(h, h.Create(root, name, "customer", "provider"), kept)
		}
		if n := enclosed(h); n != 7 {
			t.Errorf("%d were enclosed", n)
		}
		if all := rows(h); slices.ContainsFunc(all, func(r string) bool {
			return strings.Contains(strings.ToUpper(r), "PLAIN") || strings.Contains(r, "long long")
		}) {
			t.Errorf("kept is %v", all)
		}
		enter(h, "lower", other)
		enter(h, "mixed", other)
		enter(h, "twice", "{PLAIN}"+other)
		enter(h, "letters", "fu\u0308nf braune Hu\u0308hner auf der Leiter")
		if step := enter(h, "weak", "secret").Step; step != "password" {
			t.Errorf("a weak one opens; left is %q", step)
		}
		h.Refused(core.Invalid, stranger, "login.enter", input{"login": "empty", "password": ""})
		h.Refused(core.Unauthenticated, stranger, "login.enter", input{"login": "long", "password": long[:256]})
		h.Must(stranger, "login.claim", input{"token": h.Invite(root, "long"), "password": good})
	})
}

func TestManyPlainPasswordsAreEnclosedInTurn(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		for i := range 53 {
			plain(h, h.Account(root, fmt.Sprint("shop", i), "customer", "provider"), fmt.Sprint("{PLAIN}the moved password of many words ", i))
		}
		if n := enclosed(h); n != 53 || waits(h) {
			t.Errorf("%d were enclosed", n)
		}
		enter(h, "shop52", "the moved password of many words 52")
	})
}

// TestEnclosingReplacesNoHash: an operation of the system's is no way to set a password.
func TestEnclosingReplacesNoHash(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		me := h.Primary()
		before := rows(h)
		r := h.Must(act.SystemActor("enclose"), "credential.enclose", input{"hashes": []input{{"account": me.ID, "hash": "$argon2id$"}, {"account": "a_nobody", "hash": "$argon2id$"}}})
		if r.State != act.Unchanged || !slices.Equal(rows(h), before) {
			t.Errorf("it is %s, and kept is %v", r.State, rows(h))
		}
		h.Refused(core.Denied, me, "credential.enclose", input{"hashes": []input{{"account": me.ID, "hash": "x"}}})
		enter(h, "root", good)
	})
}

// TestACensusCountsWhatIsInPlainAsUnseen until somebody logs in with it.
func TestACensusCountsWhatIsInPlainAsUnseen(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		plain(h, h.Account(root, "shop", "customer", "provider"), "{PLAIN}secret")
		enclosed(h)
		if got := census(h); got.Total != 2 || got.Unseen != 1 || got.Current != 1 {
			t.Errorf("before: %+v", got)
		}
		enter(h, "shop", "secret")
		if got := census(h); got.Weak != 1 || got.Unseen != 0 {
			t.Errorf("after: %+v", got)
		}
	})
}
