package notice

import (
	"context"
	"embed"
	"slices"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

// Accounts is what notices need to know about accounts.
type Accounts interface {
	// Owner returns the tenant that owns the account.
	Owner(ctx context.Context, v *act.View, id string) (string, error)
	// Address returns the account's e-mail address, "" for none.
	Address(ctx context.Context, v *act.View, id string) (string, error)
}

// Notices is the feature. Mails reports whether the server may send mail.
type Notices struct {
	accounts Accounts
	mails    func() bool
}

// New makes the feature.
func New(a Accounts, mails func() bool) *Notices { return &Notices{a, mails} }

//go:embed sql
var migrations embed.FS

// Feature declares it.
func (n *Notices) Feature() act.Feature {
	return act.Feature{Name: "notice", SQL: migrations, Pages: pages(),
		Ops: []act.Declaration{n.list(), n.dismiss(), n.settle()},
		Kinds: []act.Kind{
			{Name: "notice", Title: "Notices", Owner: n.noticeOwner, Digest: noticeDigest, IDs: noticeIDs},
			{Name: "letter", Title: "Letters", Owner: n.letterOwner, Digest: letterDigest, IDs: letterIDs},
		}}
}

func (n *Notices) noticeOwner(ctx context.Context, v *act.View, id string) (string, error) {
	x, err := noticeByID(ctx, v, id)
	if err != nil {
		return "", err
	}
	return n.accounts.Owner(ctx, v, x.Account)
}

func (n *Notices) letterOwner(ctx context.Context, v *act.View, id string) (string, error) {
	l, err := letterByID(ctx, v, id)
	if err != nil || l.Account == "" {
		return core.Provider, err
	}
	return n.accounts.Owner(ctx, v, l.Account)
}

// Tells names the events that Tell and Queue may record.
func (n *Notices) Tells() []string {
	return []string{"notice.told", "notice.dropped", "letter.queued"}
}

// Tell puts a notice before an account. Subject and text are whole sentences;
// neither may hold a secret.
func (n *Notices) Tell(ctx context.Context, tx *act.Tx, account, subject, text string) error {
	_, err := n.tell(ctx, tx, account, subject, text)
	return err
}

// TellAt is Tell, with a letter to a second address: the one that was the
// account's until now.
func (n *Notices) TellAt(ctx context.Context, tx *act.Tx, account, address, subject, text string) error {
	x, err := n.tell(ctx, tx, account, subject, text)
	if err != nil || address == "" {
		return err
	}
	if may, err := n.posts(ctx, &tx.View, x); err != nil || !may {
		return err
	}
	return queue(ctx, tx, Letter{Account: account, About: x.ID, Address: address})
}

func (n *Notices) tell(ctx context.Context, tx *act.Tx, account, subject, text string) (Notice, error) {
	if err := room(ctx, tx, account); err != nil {
		return Notice{}, err
	}
	x := Notice{ID: core.NewID("n"), Account: account, Subject: subject, Text: text, Made: tx.Now()}
	if err := insert(ctx, tx, x); err != nil {
		return x, err
	}
	err := tx.Record(ctx, "notice.told", x.ref(), act.Field{Name: "account", New: &account}, act.Field{Name: "subject", New: &subject})
	if err != nil {
		return x, err
	}
	address, err := n.accounts.Address(ctx, &tx.View, account)
	if err != nil || address == "" {
		return x, err
	}
	if may, err := n.posts(ctx, &tx.View, x); err != nil || !may {
		return x, err
	}
	return x, queue(ctx, tx, Letter{Account: account, About: x.ID})
}

// posts reports whether a notice goes out by mail too. Of one subject few do in a
// day, so that nobody's mailbox is filled from here; counting by subject, one that
// somebody provokes hides no other.
func (n *Notices) posts(ctx context.Context, v *act.View, x Notice) (bool, error) {
	if !n.mails() {
		return false, nil
	}
	many, err := since(ctx, v, x.Account, x.Subject, v.Now().Add(-24*time.Hour))
	return many <= mostPosted, err
}

// room drops notices of somebody who has too many.
func room(ctx context.Context, tx *act.Tx, account string) error {
	list, err := of(ctx, &tx.View, account)
	for err == nil && len(list) >= mostKept {
		i := spare(list)
		err = drop(ctx, tx, list[i])
		list = slices.Delete(list, i, i+1)
	}
	return err
}

// spare is which of some notices, newest first, gives way: the oldest of those that
// were seen, and when there are none the oldest.
func spare(list []Notice) int {
	for i, n := range slices.Backward(list) {
		if !n.Seen.IsZero() {
			return i
		}
	}
	return len(list) - 1
}

func drop(ctx context.Context, tx *act.Tx, x Notice) error {
	if err := tx.Record(ctx, "notice.dropped", x.ref(), act.Field{Name: "subject", Old: &x.Subject}); err != nil {
		return err
	}
	return remove(ctx, tx, x.ID)
}

// Queue has a letter sent to an account: about a notice, or of a kind that a
// feature writes when it goes out. To the account "" nothing is sent: whoever
// asks for a letter to somebody who does not exist costs the same.
func (n *Notices) Queue(ctx context.Context, tx *act.Tx, account, about string) error {
	return queue(ctx, tx, Letter{Account: account, About: about})
}

func queue(ctx context.Context, tx *act.Tx, l Letter) error {
	l.ID, l.Made = core.NewID("e"), tx.Now()
	if err := insertLetter(ctx, tx, l); err != nil {
		return err
	}
	return tx.Record(ctx, "letter.queued", l.ref(), act.Field{Name: "account", New: &l.Account}, act.Field{Name: "about", New: &l.About})
}

// Due returns letters to send now, with what those about notices say.
func Due(ctx context.Context, v *act.View) ([]Letter, error) {
	list, err := lettersDue(ctx, v)
	for i := range list {
		x, found := noticeByID(ctx, v, list[i].About)
		if found == nil {
			list[i].Notice = &x
		} else if core.UnlessNotFound(found) != nil {
			return nil, found
		}
	}
	return list, err
}

// Ends names the events that End may record.
func (n *Notices) Ends() []string { return []string{"notice.dropped", "letter.dropped"} }

// End removes what an account was told when the account itself goes.
func (n *Notices) End(ctx context.Context, tx *act.Tx, account string, forever bool) error {
	if !forever {
		return nil
	}
	list, err := of(ctx, &tx.View, account)
	for _, x := range list {
		if err == nil {
			err = drop(ctx, tx, x)
		}
	}
	waiting, lerr := lettersOf(ctx, &tx.View, account)
	for _, l := range waiting {
		if err == nil && lerr == nil {
			err = end(ctx, tx, "letter.dropped", l, "its account is gone")
		}
	}
	return firstOf(err, lerr)
}

func firstOf(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

func end(ctx context.Context, tx *act.Tx, event string, l Letter, why string) error {
	fields := []act.Field{{Name: "account", Old: &l.Account}}
	if why != "" {
		fields = append(fields, act.Field{Name: "why", New: &why})
	}
	if err := tx.Record(ctx, event, l.ref(), fields...); err != nil {
		return err
	}
	return removeLetter(ctx, tx, l.ID)
}

// Nothing is an input without fields.
type Nothing struct{}

// List is the output of notice.list.
type List struct {
	Notices []Notice `json:"notices"`
	Unseen  int      `json:"unseen"`
}

// One is the input of notice.dismiss.
type One struct {
	Notice string `json:"notice" cli:"arg" rule:"required,max=40" doc:"id of the notice"`
}

const class = "authentication"

var serves = []string{"2690:11.6"}

func nowhere[I any](context.Context, *act.View, *I) (core.Ref, error) { return core.Ref{}, nil }

func (n *Notices) list() act.Query[Nothing, List] {
	return act.Query[Nothing, List]{
		Name: "notice.list", Doc: "List what you were told about your account.", Class: class, Roles: act.Readers, Serves: serves,
		Sample: Nothing{}, Target: nowhere[Nothing],
		Run: func(ctx context.Context, v *act.View, _ Nothing) (List, error) {
			list, err := of(ctx, v, v.Actor().ID)
			out := List{Notices: list}
			for _, x := range list {
				if x.Seen.IsZero() {
					out.Unseen++
				}
			}
			return out, err
		},
	}
}

// dismiss is for the owner alone: who manages an account does not take away what
// its owner is to read.
func (n *Notices) dismiss() act.Change[One, One] {
	return act.Change[One, One]{
		Name: "notice.dismiss", Doc: "Say that you have seen a notice.", Class: class, Roles: act.Readers, Serves: serves,
		Must: []string{"notice.seen"}, Sample: One{"n_0123456789abcdefghjkmnpqrs"},
		Target: func(_ context.Context, _ *act.View, in *One) (core.Ref, error) {
			return core.Ref{Kind: "notice", ID: in.Notice}, nil
		},
		Run: func(ctx context.Context, tx *act.Tx, in One) (One, error) {
			x, err := noticeByID(ctx, &tx.View, in.Notice)
			if err != nil || !x.Seen.IsZero() {
				return in, err
			}
			if me := tx.Actor(); me.ID != x.Account || me.By != nil {
				return in, core.Errorf(core.Denied, "a notice is for the person himself to read")
			}
			if err := see(ctx, tx, x.ID); err != nil {
				return in, err
			}
			return in, tx.Record(ctx, "notice.seen", x.ref())
		},
	}
}

// Settle is the input of letter.settle.
type Settle struct {
	Letter string `json:"letter" rule:"required,max=40" doc:"id of the letter"`
	Fault  string `json:"fault" rule:"max=400" doc:"why it was not sent; left out when it was"`
	Never  bool   `json:"never" doc:"it will never go through"`
}

func (n *Notices) settle() act.Change[Settle, Nothing] {
	return act.Change[Settle, Nothing]{
		Name: "letter.settle", Doc: "Note how sending a letter went.", Class: class, Roles: act.System, Serves: serves,
		May: []string{"letter.sent", "letter.failed", "letter.dropped"}, Sample: Settle{Letter: "e_0123456789abcdefghjkmnpqrs"},
		Target: func(_ context.Context, _ *act.View, in *Settle) (core.Ref, error) {
			return core.Ref{Kind: "letter", ID: in.Letter}, nil
		},
		Run: settle,
	}
}

func settle(ctx context.Context, tx *act.Tx, in Settle) (Nothing, error) {
	l, err := letterByID(ctx, &tx.View, in.Letter)
	switch {
	case err != nil:
		return Nothing{}, err
	case in.Fault == "":
		return Nothing{}, end(ctx, tx, "letter.sent", l, "")
	case in.Never, tx.Now().Sub(l.Made) >= lifetime:
		return Nothing{}, end(ctx, tx, "letter.dropped", l, in.Fault)
	}
	if err := retry(ctx, tx, l); err != nil {
		return Nothing{}, err
	}
	return Nothing{}, tx.Record(ctx, "letter.failed", l.ref(), act.Field{Name: "why", New: &in.Fault})
}

// Settled notes how sending a letter went; fault is "" when it was sent, and
// never says that trying again is no use.
func (n *Notices) Settled(ctx context.Context, b *act.Bus, letter, fault string, never bool) error {
	_, _, err := n.settle().Call(ctx, b, act.SystemActor("mail"), Settle{letter, fault, never})
	return err
}
