package house

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/peer"
	"hostward/internal/feature/secret"
	"hostward/internal/feature/zone"
	"hostward/internal/keeper"
	"hostward/internal/nameserver"
	"hostward/internal/rr"
	"hostward/internal/rr/transfer"
)

// peersEvery is how often the nameserver is told its settings again: it may have
// come back without them.
const peersEvery = time.Minute

func newTSIG(name rr.Name, a transfer.Algorithm) (transfer.Key, error) {
	return transfer.NewKey(rand.Reader, name, a)
}

// sealTSIG seals the secret of a key.
func (h *House) sealTSIG(ctx context.Context, k transfer.Key) (string, error) {
	b, err := h.Keeper.SealTSIG(ctx, k.Name, k.Secret)
	return base64.StdEncoding.EncodeToString(b), err
}

// resealTSIG seals a secret again under the keeper's newest key.
func resealTSIG(seal secret.Sealer) func(ctx context.Context, name rr.Name, sealed string) (string, error) {
	return func(ctx context.Context, name rr.Name, sealed string) (string, error) {
		b, err := base64.StdEncoding.DecodeString(sealed)
		if err == nil {
			b, err = seal(ctx, keeper.TSIGAD(name), b)
		}
		return base64.StdEncoding.EncodeToString(b), err
	}
}

// tellPeers tells the nameserver who its neighbours are.
func (h *House) tellPeers(ctx context.Context) error {
	if h.Answers == nil {
		return nil
	}
	var from peer.Settings
	var following []zone.Following
	err := h.Bus.Look(ctx, "peers", func(v *act.View) (err error) {
		if from, err = h.features.peers.Settings(ctx, v); err != nil {
			return err
		}
		following, err = h.features.zones.Following(ctx, v)
		return err
	})
	if err != nil {
		return err
	}
	dns := h.policy.current().DNS
	to := nameserver.Settings{Updates: from.Updates, NSID: dns.NSID, Version: dns.Version,
		Limit: nameserver.Limit{Rate: dns.Rate, Slip: dns.Slip, Exempt: dns.Exempt}}
	if name, err := rr.ParseName(dns.Catalog, "."); dns.Catalog != "" && err == nil {
		to.Catalog = name
	}
	for _, k := range from.Keys {
		sealed, err := base64.StdEncoding.DecodeString(k.Sealed)
		if err != nil {
			return err
		}
		s, err := h.Keeper.TSIG(ctx, k.Name, sealed)
		if err != nil {
			return err
		}
		to.Keys = append(to.Keys, nameserver.Key{Name: k.Name, Algorithm: k.Algorithm, Secret: s.Reveal()})
	}
	for _, s := range from.Servers {
		to.Peers = append(to.Peers, nameserver.Peer{Name: s.Name, Zones: s.Zones, From: s.Sources, Key: s.Key, Takes: true, Told: s.Told})
	}
	to.Peers = append(to.Peers, tellers(following, to.Keys)...)
	h.neighbours.Store(&to)
	return h.Answers.Configure(ctx, to)
}

// tellers are the primaries of zones, who may say that there is a new version; those
// whose TSIG key is gone may not.
func tellers(following []zone.Following, keys []nameserver.Key) (out []nameserver.Peer) {
	at := map[string]int{}
	for _, f := range following {
		if f.Key != "" && !slices.ContainsFunc(keys, func(k nameserver.Key) bool { return k.Name == f.Key }) {
			continue
		}
		who := fmt.Sprint(f.Primary)
		i, again := at[who]
		if !again {
			p := nameserver.Peer{Name: "primaries of " + string(f.Name), Key: f.Key, Tells: true}
			for _, at := range f.Addresses {
				p.From = append(p.From, netip.PrefixFrom(at.Addr().Unmap(), at.Addr().Unmap().BitLen()))
			}
			i = len(out)
			at[who], out = i, append(out, p)
		}
		out[i].Zones = append(out[i].Zones, f.Name)
	}
	return out
}

// answerAsked answers what the nameserver cannot by itself, until ctx ends.
func (h *House) answerAsked(ctx context.Context) {
	slots := make(chan struct{}, 32)
	for ctx.Err() == nil {
		asked, err := h.Answers.Asked(ctx)
		if err != nil {
			select {
			case <-ctx.Done():
			case <-time.After(time.Second): // the nameserver is away
			}
			continue
		}
		slots <- struct{}{}
		h.running.Go(func() {
			defer func() { <-slots }()
			h.panics("answering the nameserver", func() { h.answer(ctx, asked) })
		})
	}
}

func (h *House) answer(ctx context.Context, asked nameserver.Asked) {
	if asked.Kind == nameserver.AskedNotify {
		h.secondaries.notified(asked)
	}
	if asked.Kind != nameserver.AskedUpdate {
		return
	}
	if a := h.update(ctx, asked); a != nil {
		if err := h.Answers.Answered(ctx, asked.ID, a); err != nil && ctx.Err() == nil {
			h.Log.Warn("an update could not be answered", "zone", asked.Zone, "error", err)
		}
	}
}

// update makes a dynamic update and returns the signed answer. The signature is
// checked here once more: who speaks for a key is for the panel to say.
func (h *House) update(ctx context.Context, asked nameserver.Asked) []byte {
	now := h.Clock()
	req, err := transfer.Read(asked.Message, h.tsig, now)
	if req == nil {
		return nil
	}
	if err == nil {
		err = h.policy.current().Update(asked.From.Addr())
	}
	var edits transfer.Edits
	if err == nil {
		edits, err = req.Edits(mostEdits)
	}
	if err == nil {
		who := act.Actor{Kind: "tsig", ID: strings.TrimSuffix(string(req.Key), "."), Name: strings.TrimSuffix(string(req.Key), "."), Role: act.System,
			Door: "dns", Address: asked.From.Addr().String()}
		err = h.features.zones.Update(ctx, h.Bus, who, req.Key, edits)
	}
	return req.Answer(faultOf(err), now)
}

// mostEdits is how many conditions and edits one update may have.
const mostEdits = 2000

// faultOf is what an answer says of an error; nil: all is well.
func faultOf(err error) *transfer.Fault {
	if err == nil {
		return nil
	}
	if f, ok := errors.AsType[*transfer.Fault](err); ok {
		return f
	}
	e := core.AsError(err)
	switch e.Code {
	case core.NotFound:
		return &transfer.Fault{Rcode: transfer.NotAuth, EDE: transfer.NotAuthoritative, Why: "the zone is not kept here"}
	case core.Invalid, core.Denied, core.Conflict:
		return &transfer.Fault{Rcode: transfer.Refused, EDE: transfer.Prohibited, Why: e.Sentence()}
	}
	return &transfer.Fault{Rcode: transfer.ServFail, Why: "the update could not be made"}
}

// tsig finds a TSIG key among those that the nameserver was told.
func (h *House) tsig(name rr.Name) (transfer.Key, bool) {
	if s := h.neighbours.Load(); s != nil {
		for _, k := range s.Keys {
			if k.Name == name {
				return transfer.Key{Name: k.Name, Algorithm: k.Algorithm, Secret: core.NewSecret(k.Secret)}, true
			}
		}
	}
	return transfer.Key{}, false
}

// wakePeers is tellPeers as an operation asks for it.
func (h *House) wakePeers(ctx context.Context) string {
	if err := h.tellPeers(ctx); err != nil {
		h.Log.Error("the nameserver could not be told who its neighbours are; it is told again", "error", err)
		return act.Drift
	}
	return act.InForce
}

func (h *House) followPeers(ctx context.Context) {
	tick := time.NewTicker(peersEvery)
	defer tick.Stop()
	for {
		h.wakePeers(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// told asks the nameserver what became of telling others of new versions.
func (h *House) told(ctx context.Context) (out []peer.Telling, err error) {
	if h.Answers == nil {
		return nil, nil
	}
	list, err := h.Answers.Told(ctx)
	for _, t := range list {
		out = append(out, peer.Telling{Server: t.Peer, Zone: strings.TrimSuffix(string(t.Zone), "."), To: t.To.String(), Serial: t.Serial, Known: t.Known, Fault: t.Fault})
	}
	return out, err
}

// zoneOf is what peers need to know of a zone.
func (f *features) zoneOf(ctx context.Context, v *act.View, text string) (out peer.Zone, err error) {
	out.ID, out.Name, out.Owner, err = f.zones.Named(ctx, v, text)
	return out, err
}
