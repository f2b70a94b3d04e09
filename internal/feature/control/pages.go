package control

import (
	"embed"
	"encoding/json"
	"net/url"

	"hostward/internal/act"
)

//go:embed page
var templates embed.FS

func pages() []act.Page {
	return []act.Page{
		{Path: "/", Title: "Overview", Icon: "overview", Roles: act.Admins | act.Auditor, Template: templates, File: "page/overview.html",
			Calls: func(map[string]string, url.Values) map[string]act.Call {
				return map[string]act.Call{"controls": {Op: "control.list"}, "banned": call("ban.list", map[string]any{"limit": 1}), "bans": {Op: "ban.histogram"},
					"doors": call("log.histogram", map[string]any{"class": []string{"authentication"}})}
			}},
		{Path: "/controls", Title: "Controls", Section: "Server", Icon: "server", Order: 20, Roles: act.Admins | act.Auditor, Template: templates, File: "page/controls.html",
			Calls: func(map[string]string, url.Values) map[string]act.Call {
				return map[string]act.Call{"controls": {Op: "control.list"}}
			}},
		{Path: "/controls/{control}", Title: "Control {control}", Roles: act.Admins | act.Auditor, Template: templates, File: "page/control.html",
			Calls: func(path map[string]string, _ url.Values) map[string]act.Call {
				in := Named{path["control"]}
				return map[string]act.Call{"control": call("control.show", in), "plan": call("control.plan", in),
					"records": call("log.list", map[string]any{"object": "control:" + path["control"], "limit": 12})}
			}},
	}
}

func call(op string, in any) act.Call { return act.Call{Op: op, Input: input(in)} }

func input(in any) json.RawMessage {
	b, _ := json.Marshal(in) // text and numbers always marshal
	return b
}
