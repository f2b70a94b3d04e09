package firewall

import (
	"context"
	"slices"
	"strings"

	"hostward/internal/act"
	"hostward/internal/core"
)

// self is the one object that all rows belong to.
const server = "server"

func self() core.Ref { return core.Ref{Kind: "firewall", ID: server} }

// stored is what is in the rows, without what follows from the catalogue.
type stored struct {
	Settings map[string]string  `json:"settings"`
	Services map[string]Service `json:"services"`
	Rules    []Rule             `json:"rules"`
	Sets     []Set              `json:"sets"`
}

func read(ctx context.Context, v *act.View) (s stored, err error) {
	s.Settings, s.Services = map[string]string{}, map[string]Service{}
	err = v.Each(ctx, `SELECT name, value FROM firewall_setting`, nil, func(scan func(dest ...any) error) error {
		var name, value string
		err := scan(&name, &value)
		s.Settings[name] = value
		return err
	})
	if err != nil {
		return s, err
	}
	err = v.Each(ctx, `SELECT name, open_to, ports FROM firewall_service`, nil, func(scan func(dest ...any) error) error {
		var name, to, ports string
		err := scan(&name, &to, &ports)
		s.Services[name] = Service{Name: name, To: strings.Fields(to), Ports: strings.Fields(ports)}
		return err
	})
	if err != nil {
		return s, err
	}
	err = v.Each(ctx, `SELECT id, direction, protocol, ports, peers, action, comment FROM firewall_rule ORDER BY place, id`, nil, func(scan func(dest ...any) error) error {
		var r Rule
		var ports, peers string
		err := scan(&r.ID, &r.Direction, &r.Protocol, &ports, &peers, &r.Action, &r.Comment)
		r.Ports, r.Peers = strings.Fields(ports), strings.Fields(peers)
		s.Rules = append(s.Rules, r)
		return err
	})
	if err != nil {
		return s, err
	}
	err = v.Each(ctx, `SELECT name, networks FROM firewall_set ORDER BY name`, nil, func(scan func(dest ...any) error) error {
		var x Set
		var list string
		err := scan(&x.Name, &list)
		x.Networks = strings.Fields(list)
		s.Sets = append(s.Sets, x)
		return err
	})
	return s, err
}

func (s stored) empty() bool {
	return len(s.Settings)+len(s.Services)+len(s.Rules)+len(s.Sets) == 0
}

// desired is what the rows and the catalogue come to.
func (s stored) desired(panel uint16) Desired {
	d := Desired{Panel: panel, Output: s.setting("output", allow), Containers: s.setting("containers", open),
		Bridges: strings.Fields(s.setting("bridges", "docker0 br-*")), Log: s.setting("log", "on") == "on", Lockout: s.Settings["lockout"] == "yes",
		Rules: s.Rules, Sets: s.Sets}
	for _, e := range Catalogue() {
		x, ok := s.Services[e.Name]
		if !ok {
			x = Service{Name: e.Name, To: []string{Nobody}, Ports: e.Ports}
			if e.open {
				x.To = []string{All}
			}
		}
		if p := (span{first: panel, last: panel}).String() + "/tcp"; e.Name == "panel" && panel != 0 && !slices.Contains(x.Ports, p) {
			x.Ports = append(slices.Clone(x.Ports), p)
		}
		x.Out = e.Out
		d.Services = append(d.Services, x)
	}
	return d
}

func (s stored) setting(name, otherwise string) string {
	if v, ok := s.Settings[name]; ok {
		return v
	}
	return otherwise
}

// desired reads what should be.
func (f *Firewall) desired(ctx context.Context, v *act.View) (Desired, error) {
	s, err := read(ctx, v)
	return s.desired(f.ports.Panel()), err
}

func digest(ctx context.Context, v *act.View, _ string) (string, error) {
	s, err := read(ctx, v)
	if err != nil || s.empty() {
		return "", err
	}
	return act.DigestOf(s)
}

func ids(ctx context.Context, v *act.View) ([]string, error) {
	s, err := read(ctx, v)
	if err != nil || s.empty() {
		return nil, err
	}
	return []string{server}, nil
}

func putSetting(ctx context.Context, tx *act.Tx, name, value string) error {
	_, err := tx.Exec(ctx, `INSERT INTO firewall_setting (name, firewall, value) VALUES ($1, $2, $3) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, server, value)
	return err
}

func dropSetting(ctx context.Context, tx *act.Tx, name string) error {
	_, err := tx.Exec(ctx, `DELETE FROM firewall_setting WHERE name = $1`, name)
	return err
}

func putService(ctx context.Context, tx *act.Tx, s Service) error {
	_, err := tx.Exec(ctx, `INSERT INTO firewall_service (name, firewall, open_to, ports) VALUES ($1, $2, $3, $4)
		ON CONFLICT (name) DO UPDATE SET open_to = excluded.open_to, ports = excluded.ports`, s.Name, server, strings.Join(s.To, " "), strings.Join(s.Ports, " "))
	return err
}

func putSet(ctx context.Context, tx *act.Tx, s Set) error {
	_, err := tx.Exec(ctx, `INSERT INTO firewall_set (name, firewall, networks) VALUES ($1, $2, $3) ON CONFLICT (name) DO UPDATE SET networks = excluded.networks`,
		s.Name, server, strings.Join(s.Networks, " "))
	return err
}

// putRules writes the rules in their order.
func putRules(ctx context.Context, tx *act.Tx, rules []Rule) error {
	if _, err := tx.Exec(ctx, `DELETE FROM firewall_rule`); err != nil {
		return err
	}
	for i, r := range rules {
		_, err := tx.Exec(ctx, `INSERT INTO firewall_rule (id, firewall, place, direction, protocol, ports, peers, action, comment) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			r.ID, server, i, r.Direction, r.Protocol, strings.Join(r.Ports, " "), strings.Join(r.Peers, " "), r.Action, r.Comment)
		if err != nil {
			return err
		}
	}
	return nil
}
