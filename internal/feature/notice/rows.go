package notice

import (
	"context"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

// notices appends each row of id, account, subject, text, made, seen.
func notices(list *[]Notice) func(scan func(dest ...any) error) error {
	return func(scan func(dest ...any) error) error {
		var n Notice
		var made, seen int64
		err := scan(&n.ID, &n.Account, &n.Subject, &n.Text, &made, &seen)
		n.Made, n.Seen = core.At(made), core.At(seen)
		*list = append(*list, n)
		return err
	}
}

func noticeByID(ctx context.Context, v *act.View, id string) (Notice, error) {
	var list []Notice
	err := v.Each(ctx, `SELECT id, account, subject, text, made, seen FROM notice WHERE id = $1`, []any{id}, notices(&list))
	if err == nil && len(list) == 0 {
		return Notice{}, core.Errorf(core.NotFound, "there is no notice %.40q", id)
	}
	if err != nil {
		return Notice{}, err
	}
	return list[0], nil
}

// of returns the notices of an account, newest first.
func of(ctx context.Context, v *act.View, account string) ([]Notice, error) {
	list := []Notice{}
	err := v.Each(ctx, `SELECT id, account, subject, text, made, seen FROM notice WHERE account = $1 ORDER BY made DESC, id`, []any{account}, notices(&list))
	return list, err
}

// since counts the notices of an account with a subject.
func since(ctx context.Context, v *act.View, account, subject string, from time.Time) (n int, err error) {
	_, err = v.Get(ctx, `SELECT count(*) FROM notice WHERE account = $1 AND subject = $2 AND made > $3`, []any{account, subject, core.Micros(from)}, &n)
	return n, err
}

func insert(ctx context.Context, tx *act.Tx, n Notice) error {
	_, err := tx.Exec(ctx, `INSERT INTO notice (id, account, subject, text, made, seen) VALUES ($1, $2, $3, $4, $5, 0)`,
		n.ID, n.Account, n.Subject, n.Text, core.Micros(n.Made))
	return err
}

func see(ctx context.Context, tx *act.Tx, id string) error {
	_, err := tx.Exec(ctx, `UPDATE notice SET seen = $1 WHERE id = $2`, tx.Now().UnixMicro(), id)
	return err
}

func remove(ctx context.Context, tx *act.Tx, id string) error {
	_, err := tx.Exec(ctx, `DELETE FROM notice WHERE id = $1`, id)
	return err
}

// letters appends each row of id, account, about, address, made, tries.
func letters(list *[]Letter) func(scan func(dest ...any) error) error {
	return func(scan func(dest ...any) error) error {
		var l Letter
		var made int64
		err := scan(&l.ID, &l.Account, &l.About, &l.Address, &made, &l.Tries)
		l.Made = core.At(made)
		*list = append(*list, l)
		return err
	}
}

func letterByID(ctx context.Context, v *act.View, id string) (Letter, error) {
	var list []Letter
	err := v.Each(ctx, `SELECT id, account, about, address, made, tries FROM notice_letter WHERE id = $1`, []any{id}, letters(&list))
	if err == nil && len(list) == 0 {
		return Letter{}, core.Errorf(core.NotFound, "there is no letter %.40q", id)
	}
	if err != nil {
		return Letter{}, err
	}
	return list[0], nil
}

// lettersOf returns the letters that wait for an account.
func lettersOf(ctx context.Context, v *act.View, account string) ([]Letter, error) {
	var list []Letter
	err := v.Each(ctx, `SELECT id, account, about, address, made, tries FROM notice_letter WHERE account = $1 ORDER BY id`, []any{account}, letters(&list))
	return list, err
}

func lettersDue(ctx context.Context, v *act.View) ([]Letter, error) {
	var list []Letter
	err := v.Each(ctx, `SELECT id, account, about, address, made, tries FROM notice_letter WHERE due <= $1 ORDER BY due LIMIT $2`,
		[]any{v.Now().UnixMicro(), mostDue}, letters(&list))
	return list, err
}

func insertLetter(ctx context.Context, tx *act.Tx, l Letter) error {
	_, err := tx.Exec(ctx, `INSERT INTO notice_letter (id, account, about, address, made, tries, due) VALUES ($1, $2, $3, $4, $5, 0, $5)`,
		l.ID, l.Account, l.About, l.Address, core.Micros(l.Made))
	return err
}

func retry(ctx context.Context, tx *act.Tx, l Letter) error {
	_, err := tx.Exec(ctx, `UPDATE notice_letter SET tries = $1, due = $2 WHERE id = $3`, l.Tries+1, tx.Now().Add(pause(l.Tries)).UnixMicro(), l.ID)
	return err
}

func removeLetter(ctx context.Context, tx *act.Tx, id string) error {
	_, err := tx.Exec(ctx, `DELETE FROM notice_letter WHERE id = $1`, id)
	return err
}

func noticeDigest(ctx context.Context, v *act.View, id string) (string, error) {
	n, err := noticeByID(ctx, v, id)
	if err != nil {
		return "", core.UnlessNotFound(err)
	}
	return act.DigestOf(noticeState{n.ID, n.Account, n.Subject, n.Text, core.Micros(n.Made), core.Micros(n.Seen)})
}

func letterDigest(ctx context.Context, v *act.View, id string) (string, error) {
	l, err := letterByID(ctx, v, id)
	if err != nil {
		return "", core.UnlessNotFound(err)
	}
	var due int64
	_, err = v.Get(ctx, `SELECT due FROM notice_letter WHERE id = $1`, []any{id}, &due)
	if err != nil {
		return "", err
	}
	return act.DigestOf(letterState{l.ID, l.Account, l.About, l.Address, core.Micros(l.Made), l.Tries, due})
}

func noticeIDs(ctx context.Context, v *act.View) (all []string, err error) {
	err = v.Each(ctx, `SELECT id FROM notice ORDER BY id`, nil, words(&all))
	return all, err
}

func letterIDs(ctx context.Context, v *act.View) (all []string, err error) {
	err = v.Each(ctx, `SELECT id FROM notice_letter ORDER BY id`, nil, words(&all))
	return all, err
}

func words(all *[]string) func(scan func(dest ...any) error) error {
	return func(scan func(dest ...any) error) error {
		var id string
		err := scan(&id)
		*all = append(*all, id)
		return err
	}
}
