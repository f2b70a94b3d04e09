package act_test

import (
	"strings"
	"testing"

	"hostward/internal/act"
)

func TestTheRegistryRefusesPagesThatWouldShowNothing(t *testing.T) {
	reveals := memoCreate
	reveals.Name, reveals.Reveals = "memo.reveal", true
	for answer, fault := range map[string]string{
		"": "", "memo.reveal": "", " memo.reveal  memo.reveal ": "",
		"memo.absent": `"memo.absent"`, "memo.reveal memo.absent": `"memo.absent"`, "memo.reveal,memo.create": `"memo.reveal,memo.create"`,
		"memo.show": `"memo.show"`, "memo.create": `"memo.create"`,
	} {
		_, err := act.NewRegistry(act.Feature{Name: "memo", Ops: []act.Declaration{memoCreate, memoShow, reveals}, Kinds: []act.Kind{memoKind, tenantKind},
			Pages: []act.Page{{Path: "/memo", Answer: answer}}})
		if fault == "" && err != nil || fault != "" && (err == nil || !strings.Contains(err.Error(), "/memo") || !strings.Contains(err.Error(), fault)) {
			t.Errorf("a page that answers %q: %v, want something about %s", answer, err, fault)
		}
	}
}

// TestAPageMayAnswerWhatALaterFeatureDeclares: features do not know each other.
func TestAPageMayAnswerWhatALaterFeatureDeclares(t *testing.T) {
	reveals := memoCreate
	reveals.Name, reveals.Reveals = "memo.reveal", true
	_, err := act.NewRegistry(act.Feature{Name: "other", Pages: []act.Page{{Path: "/other", Answer: "memo.reveal"}}},
		act.Feature{Name: "memo", Ops: []act.Declaration{reveals}, Kinds: []act.Kind{memoKind, tenantKind}})
	if err != nil {
		t.Error(err)
	}
}

func TestTheRegistryNamesEveryFault(t *testing.T) {
	bare := act.Change[plainIn, string]{Name: "Memo.Bare"}
	foreign := memoChange("memo.foreign", memoWrite.Run)
	foreign.Must = []string{"ghost.seen"}
	_, err := act.NewRegistry(act.Feature{Name: "memo", Ops: []act.Declaration{bare, memoCreate, memoCreate, foreign}, Kinds: []act.Kind{memoKind, memoKind, tenantKind, {Name: "empty"}}})
	if err == nil {
		t.Fatal("it was let through")
	}
	for _, want := range []string{"a name like", "a Doc sentence", "a Class", "Roles", "a Target", "a Run function", "events it records", "a name of its own", `"memo" is declared twice`, `"empty" needs`, `"ghost.seen"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("nothing is said about %s: %v", want, err)
		}
	}
}
