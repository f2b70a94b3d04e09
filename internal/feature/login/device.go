package login

import (
	"context"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

// A known device is a browser that holds a token from an earlier log-in. Its
// attempts count for it alone, so a name that strangers locked is open from
// there (SPEC A8). It stands for no factor and lets nobody in.

var deviceEvents = []string{"device.known", "device.seen", "device.failed", "device.ended"}

// knownDevice returns the device that a token is of, when it is one of the
// account's; else one without an id.
func knownDevice(ctx context.Context, v *act.View, token core.Secret, account string) (Device, error) {
	d, _, err := deviceByHash(ctx, v, hashOf(token))
	if err != nil || !formed(token) || account == "" || d.account != account || v.Now().Sub(d.Seen) >= deviceLife {
		return Device{}, err
	}
	return d, nil
}

// know notes that somebody got in from a device, and makes it known when it is
// not yet; only then there is a token.
func (l *Login) know(ctx context.Context, tx *act.Tx, account, device string) (token core.Secret, until time.Time, err error) {
	if device != "" {
		d, found, err := deviceByID(ctx, &tx.View, device)
		if err != nil || found && d.account == account {
			return token, until, firstOf(err, seeDevice(ctx, tx, d))
		}
	}
	if err := roomForDevice(ctx, tx, account); err != nil {
		return token, until, err
	}
	token = core.NewToken()
	d := Device{ID: core.NewID("d"), Agent: tx.Actor().Agent, Address: tx.Actor().Address, Made: tx.Now(), Seen: tx.Now(), account: account, hash: hashOf(token)}
	if err := insertDevice(ctx, tx, d); err != nil {
		return token, until, err
	}
	if err := tx.Record(ctx, "device.known", d.ref(), act.Field{Name: "account", New: &account}, act.Field{Name: "agent", New: &d.Agent, Personal: true}); err != nil {
		return token, until, err
	}
	return token, tx.Now().Add(deviceLife), l.news(ctx, tx, d)
}

// news tells an account that somebody got in from a browser that was not known.
// Who has just been given his password expects that.
func (l *Login) news(ctx context.Context, tx *act.Tx, d Device) error {
	c, _, err := credentialOf(ctx, &tx.View, d.account)
	if err != nil || tx.Now().Sub(core.At(c.changed)) < time.Hour {
		return err
	}
	return l.Notices.Tell(ctx, tx, d.account, "A log-in from a new browser", "Somebody logged in as you from a browser that was not known: "+or(d.Agent, "one without a name")+
		", at the address "+or(d.Address, "unknown")+". If it was not you, change your password and end all sessions.")
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func seeDevice(ctx context.Context, tx *act.Tx, d Device) error {
	if err := touchDevice(ctx, tx, d.ID, tx.Actor().Address); err != nil {
		return err
	}
	return tx.Record(ctx, "device.seen", d.ref())
}

// failDevice counts a failure from a known device; too many, and it is not known
// any more.
func failDevice(ctx context.Context, tx *act.Tx, id string) error {
	d, found, err := deviceByID(ctx, &tx.View, id)
	if err != nil || !found {
		return err
	}
	if d.failures+1 >= deviceTrials {
		return endDevice(ctx, tx, d)
	}
	if err := blameDevice(ctx, tx, d.ID, d.failures+1); err != nil {
		return err
	}
	return tx.Record(ctx, "device.failed", d.ref(), number("failures", d.failures, d.failures+1))
}

func roomForDevice(ctx context.Context, tx *act.Tx, account string) error {
	list, err := devicesOf(ctx, &tx.View, account)
	for ; err == nil && len(list) >= mostDevices; list = list[:len(list)-1] {
		err = endDevice(ctx, tx, list[len(list)-1])
	}
	return err
}

func endDevice(ctx context.Context, tx *act.Tx, d Device) error {
	if err := tx.Record(ctx, "device.ended", d.ref(), act.Field{Name: "account", Old: &d.account}); err != nil {
		return err
	}
	return deleteDevice(ctx, tx, d.ID)
}

func endDevices(ctx context.Context, tx *act.Tx, account string) error {
	list, err := devicesOf(ctx, &tx.View, account)
	for _, d := range list {
		if err == nil {
			err = endDevice(ctx, tx, d)
		}
	}
	return err
}

func (l *Login) deviceOwner(ctx context.Context, v *act.View, id string) (string, error) {
	d, found, err := deviceByID(ctx, v, id)
	if err == nil && !found {
		err = core.Errorf(core.NotFound, "there is no device %q", clip(id))
	}
	if err != nil {
		return "", err
	}
	return l.Accounts.Owner(ctx, v, d.account)
}

func deviceDigest(ctx context.Context, v *act.View, id string) (string, error) {
	d, found, err := deviceByID(ctx, v, id)
	if err != nil || !found {
		return "", err
	}
	return act.DigestOf(deviceState{d.ID, d.account, d.hash, core.Micros(d.Made), core.Micros(d.Seen), d.failures})
}

// Devices is the output of device.list.
type Devices struct {
	Devices []Device `json:"devices"`
}

// OneDevice is the input of device.forget.
type OneDevice struct {
	Device string `json:"device" cli:"arg" rule:"required,max=40" doc:"id of the device"`
}

func (l *Login) devices() act.Query[Of, Devices] {
	return act.Query[Of, Devices]{
		Name: "device.list", Doc: "List the browsers from which an account got in before.", Class: class, Roles: act.Readers, Serves: serves,
		Sample: Of{}, Target: l.whose,
		Run: func(ctx context.Context, v *act.View, in Of) (Devices, error) {
			list, err := devicesOf(ctx, v, in.Account)
			return Devices{list}, err
		},
	}
}

func (l *Login) forget() act.Change[OneDevice, OneDevice] {
	return act.Change[OneDevice, OneDevice]{
		Name: "device.forget", Doc: "Know a browser of yours, or of an account you manage, no more.", Class: class, Roles: act.Readers, Serves: serves,
		Must: []string{"device.ended"}, Sample: OneDevice{"d_0123456789abcdefghjkmnpqrs"},
		Target: func(ctx context.Context, v *act.View, in *OneDevice) (core.Ref, error) {
			d, found, err := deviceByID(ctx, v, in.Device)
			if err == nil && found {
				err = l.Accounts.Visible(ctx, v, d.account)
			}
			if err != nil && core.CodeOf(err) == core.NotFound {
				err = core.Errorf(core.NotFound, "there is no device %q", clip(in.Device))
			}
			return core.Ref{Kind: "device", ID: in.Device}, err
		},
		Run: func(ctx context.Context, tx *act.Tx, in OneDevice) (OneDevice, error) {
			d, _, err := deviceByID(ctx, &tx.View, in.Device)
			if err == nil && d.account != tx.Actor().ID {
				err = l.Accounts.Manages(ctx, &tx.View, d.account)
			}
			if err != nil {
				return in, err
			}
			return in, endDevice(ctx, tx, d)
		},
	}
}
