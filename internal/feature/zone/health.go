package zone

import (
	"context"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

// Health is what was measured of a zone from outside (SPEC D8).
type Health struct {
	ID       string       `json:"id"`
	Zone     string       `json:"zone"`
	At       time.Time    `json:"at,omitzero"` // zero: not measured yet
	Parent   string       `json:"parent,omitempty"`
	Findings []Finding    `json:"findings,omitempty"`
	Servers  []ServerSeen `json:"servers,omitempty"`
}

// Finding is one thing that is not as it should be.
type Finding struct {
	ID       string `json:"id"`
	Severity string `json:"severity"` // error, warning, notice
	Server   string `json:"server,omitempty"`
	Measured string `json:"measured"`
	Expected string `json:"expected"`
	Do       string `json:"do"`
}

// ServerSeen is what one address of the zone's nameservers serves.
type ServerSeen struct {
	Server string `json:"server"`
	Failed bool   `json:"failed,omitempty"`
	Serial uint32 `json:"serial"`
}

// Worst is the word for all findings together.
func (h Health) Worst() string {
	worst := "sound"
	for _, f := range h.Findings {
		switch {
		case f.Severity == "error":
			return "broken"
		case f.Severity == "warning":
			worst = "weak"
		}
	}
	return worst
}

// HealthIn names a zone.
type HealthIn struct {
	Zone string `json:"zone" doc:"name or id of the zone" rule:"required,max=1020" cli:"arg"`
	Now  bool   `json:"now" doc:"measure now, up to half a minute; else show what was measured last"`
}

func (z *Zones) health() act.Declaration {
	return act.Query[HealthIn, Health]{
		Name: "zone.health.show", Doc: "Show how a zone looks from outside: delegation, nameservers, DNSSEC.", Class: class, Roles: act.Readers,
		Serves: serves(), Sample: HealthIn{Zone: "example.org"},
		Target: func(ctx context.Context, v *act.View, in *HealthIn) (core.Ref, error) { return target(ctx, v, in.Zone) },
		Run: func(ctx context.Context, v *act.View, in HealthIn) (Health, error) {
			r, err := live(ctx, v, in.Zone)
			if err != nil || z.ports.Health == nil {
				return Health{}, err
			}
			out, err := z.ports.Health(ctx, r.Name, in.Now)
			out.ID, out.Zone = r.ID, shown(r.Name)
			return out, err
		},
	}
}
