package login

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"hostward/internal/act"
	"hostward/internal/core"
)

// The floor, which holds at every level of strength (SPEC A3). NIST SP
// 800-63B-4 3.1.1.2: at least 15 characters for a password that stands alone,
// at least 64 accepted, no rules of composition, no truncation. 256 bytes hold
// 64 characters of any script.
const (
	minPassword = 15
	maxPassword = 256
)

// length counts characters as people see them: a letter and the accents that
// a keyboard sends behind it are one, as they are in NFC.
func length(password string) (n int) {
	for _, r := range password {
		if !unicode.Is(unicode.Mn, r) {
			n++
		}
	}
	return n
}

// common are passwords that people choose when 15 characters are asked for.
// What is made by repeating something short is found without a list.
var common = []string{
	"correcthorsebatterystaple", "passwordpassword", "administrator123", "administratoradministrator",
	"1234567890123456", "123456789012345", "123456789abcdef", "0123456789abcdef", "abcdefghijklmno", "abcdefghijklmnop",
	"abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfgh", "qwertyuiopasdfghjkl", "qwertyuiopasdfghjklzxcvbnm", "qwertzuiopasdfgh",
	"1qaz2wsx3edc4rfv", "1q2w3e4r5t6y7u8i", "1q2w3e4r5t6y7u8i9o0p", "q1w2e3r4t5y6u7i8", "zaq12wsxcde34rfv", "!qaz2wsx#edc4rfv",
	"thisismypassword", "thisisapassword", "mypasswordis123", "mysecretpassword", "letmeinletmeinletmein", "changemechangeme",
	"iloveyouiloveyou", "welcometothejungle", "password123456789", "password12345678", "passw0rdpassw0rd", "supersecretpassword",
}

// squeezed is a password as a guesser looks at it: without case and blanks.
func squeezed(s string) string {
	return strings.Join(strings.Fields(strings.ToLower(s)), "")
}

// repeats reports whether s is something of at most 8 bytes, over and over.
func repeats(s string) bool {
	for size := 1; size <= 8 && size < len(s); size++ {
		if strings.HasPrefix(strings.Repeat(s[:size], len(s)/size+1), s) {
			return true
		}
	}
	return false
}

// weakness says what a password must not be, "" when it may be.
func weakness(password string, names ...string) string {
	s := squeezed(password)
	switch {
	case length(password) < minPassword:
		return fmt.Sprintf("must have at least %d characters; a sentence is easy to remember", minPassword)
	case len(password) > maxPassword:
		return fmt.Sprintf("must have at most %d bytes", maxPassword)
	case repeats(s):
		return "must be more than one short piece over and over"
	case slices.Contains(common, s):
		return "must not be one that everybody chooses"
	}
	for _, name := range names {
		if name = squeezed(name); name != "" && strings.Trim(strings.ReplaceAll(s, name, ""), "0123456789!.-_") == "" {
			return "must not be your own name"
		}
	}
	return ""
}

// hash checks a new password and returns its hash; f holds faults of other
// fields found before. The view reads no more afterwards.
func (l *Login) hash(ctx context.Context, v *act.View, f core.Faults, field string, password core.Secret, names ...string) (string, error) {
	for _, name := range names {
		if local, _, mail := strings.Cut(name, "@"); mail {
			names = append(names, local)
		}
	}
	if fault := weakness(password.Reveal(), names...); fault != "" {
		f.Add(field, "", fault)
	}
	if err := f.Err(); err != nil {
		return "", err
	}
	if l.Policy != nil {
		if err := l.Policy.Check(ctx, v, password, names...); err != nil {
			return "", err
		}
	}
	v.Release()
	return l.Hasher.HashPassword(ctx, password)
}

// Change is the input of password.change.
type Change struct {
	Old core.Secret `json:"old_password" form:"password" rule:"required,max=256" doc:"password until now"`
	New core.Secret `json:"new_password" form:"password" rule:"required,max=256" doc:"new password of at least 15 characters; a sentence is a good one"`

	checked checked
	phc     string
}

// Changed is the output of password.change.
type Changed struct {
	Account string `json:"account"`
}

func (l *Login) change() act.Change[Change, Changed] {
	return act.Change[Change, Changed]{
		Name: "password.change", Doc: "Change your own password and end your other sessions.", Class: class, Roles: act.Readers,
		Must: []string{"credential.set"}, May: []string{"session.ended", "credential.failed", "throttle.counted"}, Serves: serves,
		Sample: Change{Old: core.NewSecret("a password of many words"), New: core.NewSecret("another one of many words")},
		Target: func(ctx context.Context, v *act.View, _ *Change) (core.Ref, error) {
			ref := credentialRef(v.Actor().ID)
			_, found, err := credentialOf(ctx, v, ref.ID)
			if err == nil && !found {
				err = core.Errorf(core.NotFound, "you have no password here")
			}
			return ref, err
		},
		Prepare: l.prepareChange, Run: l.runChange,
	}
}

// prepareChange asks for the old password as log-in does: a stolen session is
// no way to find it out. An API token is none to change it.
func (l *Login) prepareChange(ctx context.Context, v *act.View, in *Change) error {
	me := v.Actor()
	live, err := l.Live(ctx, v, me.ID, me.Session)
	if err == nil && !live {
		err = core.Errorf(core.Denied, "a password is changed in a session, after logging in")
	}
	if err == nil {
		err = wait(ctx, v, me.Name)
	}
	if err != nil {
		return err
	}
	if _, err = l.fill(ctx, v, me.ID, &in.checked); err != nil {
		return err
	}
	if in.checked.ok, _, err = l.Hasher.CheckPassword(ctx, in.checked.phc, in.Old); err != nil || !in.checked.ok {
		return err // Run counts it
	}
	if in.Old.Reveal() == in.New.Reveal() {
		return core.Faults{{Field: "new_password", Accepted: "must be another one"}}.Err()
	}
	in.phc, err = l.hash(ctx, v, nil, "new_password", in.New, me.Name)
	return err
}

func (l *Login) runChange(ctx context.Context, tx *act.Tx, in Change) (Changed, error) {
	me := tx.Actor()
	if err := wait(ctx, &tx.View, me.Name); err != nil {
		return Changed{}, err
	}
	_, ok, err := l.holds(ctx, &tx.View, in.checked)
	if err != nil {
		return Changed{}, err
	}
	if !ok {
		return Changed{}, fail(ctx, tx, me.ID, me.Name, core.Faults{{Field: "old_password", Accepted: "is not your password"}}.Err())
	}
	if err := l.endSessions(ctx, tx, me.ID, me.Session); err != nil {
		return Changed{}, err
	}
	return Changed{me.ID}, set(ctx, tx, me.ID, in.phc)
}
