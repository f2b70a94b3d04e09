package firewall

import (
	"encoding/json"
	"net/url"

	"hostward/internal/act"
)

func pages() []act.Page {
	show := func(map[string]string, url.Values) map[string]act.Call {
		return map[string]act.Call{"firewall": {Op: "firewall.show"}, "exposure": {Op: "firewall.exposure"}}
	}
	read := act.Admins | act.Auditor
	return []act.Page{
		{Path: "/firewall", Title: "Firewall", Section: "Server", Icon: "firewall", Order: 21, Roles: read, Template: templates, File: "page/firewall.html", Calls: show},
		{Path: "/firewall/services/{service}", Title: "Service", Icon: "firewall", Roles: act.Admins, Template: templates, File: "page/service.html", Calls: show},
		{Path: "/firewall/rules/new", Title: "New rule", Icon: "firewall", Roles: act.Admins, Template: templates, File: "page/rule.html", Calls: show},
		{Path: "/firewall/sets/new", Title: "New set", Icon: "firewall", Roles: act.Admins, Template: templates, File: "page/newset.html"},
		{Path: "/firewall/sets/{set}", Title: "Set {set}", Icon: "firewall", Roles: read, Template: templates, File: "page/set.html",
			Calls: func(path map[string]string, _ url.Values) map[string]act.Call {
				in, _ := json.Marshal(SetName{Set: path["set"]}) // it has no value that could fail
				return map[string]act.Call{"set": {Op: "firewall.set.show", Input: in}}
			}},
	}
}
