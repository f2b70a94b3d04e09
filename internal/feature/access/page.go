package access

import (
	"embed"
	"encoding/json"
	"net/url"

	"hostward/internal/act"
)

//go:embed page
var templates embed.FS

func pages() []act.Page {
	return []act.Page{{
		Path: "/access", Title: "Administrative access", Section: "Policy", Icon: "door", Order: 60, Roles: act.Admins | act.Auditor,
		Template: templates, File: "page/access.html",
		Calls: func(_ map[string]string, q url.Values) map[string]act.Call {
			calls := map[string]act.Call{"access": call("access.show", Show{Text: q.Get("q")})}
			if mode := q.Get("try"); mode == AllBut || mode == Only {
				calls["trial"] = call("access.try", Try{Mode: mode, Add: q.Get("add"), Remove: q.Get("remove")})
			}
			return calls
		},
	}}
}

func call(op string, in any) act.Call {
	b, _ := json.Marshal(in) // structs of text always marshal
	return act.Call{Op: op, Input: b}
}
