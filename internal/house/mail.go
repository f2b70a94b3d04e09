package house

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"hostward/internal/act"
	"hostward/internal/adapter/smtp"
	"hostward/internal/core"
	"hostward/internal/feature/notice"
	"hostward/internal/ini"
)

// post sends the letters that wait, when it is woken and once a minute, until ctx
// ends. What could not be sent waits longer each time.
func (h *House) post(ctx context.Context) {
	again := time.NewTicker(time.Minute)
	defer again.Stop()
	for {
		if err := h.deliver(ctx); err != nil && ctx.Err() == nil {
			h.Log.Error("letters could not be looked through", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		case <-h.mail:
		}
	}
}

// wakeMail has letters sent when there are any among what was changed.
func (h *House) wakeMail(objects []core.Ref) string {
	if !slices.ContainsFunc(objects, func(o core.Ref) bool { return o.Kind == "letter" }) {
		return act.InForce
	}
	select {
	case h.mail <- struct{}{}:
	default: // all of them are looked through anyway
	}
	return act.Pending
}

// deliver sends every letter that is due.
func (h *House) deliver(ctx context.Context) error {
	p := h.policy.current()
	if !p.Mails() {
		return nil
	}
	for {
		var due []notice.Letter
		err := h.Bus.Look(ctx, "mail", func(v *act.View) (err error) {
			due, err = notice.Due(ctx, v)
			return err
		})
		if err != nil || len(due) == 0 {
			return err
		}
		for _, l := range due {
			if err := h.sendLetter(ctx, p, l); err != nil {
				return err
			}
		}
	}
}

// sendLetter sends one letter and puts on record how that went. Its text exists
// only here: a link in it is made now and kept nowhere.
func (h *House) sendLetter(ctx context.Context, p ini.Policy, l notice.Letter) error {
	m, err := h.compose(ctx, p, l)
	if err == nil {
		err = h.dispatch(ctx, p, m)
	}
	if ctx.Err() != nil {
		return ctx.Err() // a stop is no failure of the letter's
	}
	if err == nil {
		return h.features.notices.Settled(ctx, h.Bus, l.ID, "", false)
	}
	return h.features.notices.Settled(ctx, h.Bus, l.ID, brief(err), final(err))
}

var errNobody = core.Errorf(core.NotFound, "nobody, or nobody with an e-mail address, was meant")

func (h *House) compose(ctx context.Context, p ini.Policy, l notice.Letter) (m smtp.Message, err error) {
	m = smtp.Message{To: l.Address, ID: l.ID, Date: l.Made}
	if m.To == "" && l.Account != "" {
		err = h.Bus.Look(ctx, "mail", func(v *act.View) (err error) {
			m.To, err = h.features.accounts.Address(ctx, v, l.Account)
			return err
		})
	}
	base := strings.TrimRight(p.URL, "/")
	switch {
	case err != nil:
	case m.To == "":
		err = errNobody
	case l.Notice != nil:
		m.Subject, m.Text = l.Notice.Subject, l.Notice.Text+"\n\n"+base+"/notices\n"
	case strings.HasPrefix(l.About, "n_"):
		err = core.Errorf(core.NotFound, "what it was about is gone")
	default:
		m.Subject, m.Text, err = h.features.login.Letter(ctx, h.Bus, l.Account, l.About, base)
	}
	return m, err
}

// dispatch reads the password when it is needed, so that changing the file is enough.
func (h *House) dispatch(ctx context.Context, p ini.Policy, m smtp.Message) error {
	c := smtp.Config{Server: p.Mail.Server, TLS: p.Mail.TLS, From: p.Mail.From, Name: "Hostward", User: p.Mail.User}
	if p.Mail.PasswordFile != "" {
		b, err := os.ReadFile(p.Mail.PasswordFile)
		if err != nil {
			return fmt.Errorf("reading [mail] passwordFile: %w", err)
		}
		c.Password = core.NewSecret(strings.TrimRight(string(b), "\r\n"))
	}
	return c.Send(ctx, m)
}

// brief is an error as a record takes it.
func brief(err error) string {
	return strings.ToValidUTF8(fmt.Sprintf("%.300s", err.Error()), "")
}

// final reports whether trying again is no use.
func final(err error) bool {
	if s, ok := errors.AsType[*smtp.Error](err); ok {
		return !s.Temporary()
	}
	code := core.CodeOf(err)
	return code == core.NotFound || code == core.Conflict
}
