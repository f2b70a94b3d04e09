package peer

import (
	"net/url"

	"hostward/internal/act"
)

func (p *Peers) pageList() []act.Page {
	keys := func(map[string]string, url.Values) map[string]act.Call {
		return map[string]act.Call{"keys": {Op: "tsig.list"}}
	}
	return []act.Page{
		{Path: "/peers", Title: "Nameservers", Section: "DNS", Icon: "server", Order: 12, Roles: act.Admins | act.Auditor, Template: p.pages, File: "page/peers.html",
			Calls: func(map[string]string, url.Values) map[string]act.Call {
				return map[string]act.Call{"servers": {Op: "peer.list"}, "keys": {Op: "tsig.list"}}
			}},
		{Path: "/keys", Title: "Update keys", Section: "DNS", Icon: "key", Order: 13, Roles: act.Hosted &^ act.Admins, Template: p.pages, File: "page/keys.html", Calls: keys},
		{Path: "/keys/new", Title: "New TSIG key", Icon: "key", Roles: act.Hosted, Template: p.pages, File: "page/key.html", Answer: "tsig.create"},
		{Path: "/keys/{key}/allow", Title: "What a key may change", Icon: "key", Roles: act.Hosted, Template: p.pages, File: "page/allow.html", Calls: keys},
		{Path: "/peers/new", Title: "New nameserver", Icon: "server", Roles: act.Admins, Template: p.pages, File: "page/new.html"},
	}
}
