package ban

import "net/netip"

// Initial is what should be before anybody has changed anything.
func Initial() Desired {
	p := initial()
	return Desired{Engine: p.Engine, PanelLog: "/var/lib/hostward/log/panel.log", Again: p.Again, Most: p.Most, Jails: p.jails(), Trusted: []netip.Prefix{}}
}
