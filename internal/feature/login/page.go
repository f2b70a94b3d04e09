package login

import (
	"embed"
	"net/url"

	"hostward/internal/act"
)

//go:embed page
var templates embed.FS

// The page of one's own security shows factors and tokens too: it names their
// operations, as every form does.
func pages() []act.Page {
	return []act.Page{
		{Path: "/setup", Title: "Set up", Icon: "key", Roles: act.Stranger | act.Readers, Template: templates, File: "page/setup.html", Calls: calls("state", "login.ready")},
		{Path: "/login", Title: "Log in", Icon: "door", Roles: act.Stranger | act.Readers | act.Entrant, Template: templates, File: "page/login.html", Calls: calls("state", "login.ready")},
		{Path: "/forgot", Title: "Forgotten password", Icon: "key", Roles: act.Stranger, Template: templates, File: "page/forgot.html", Calls: calls("state", "login.ready")},
		{Path: "/step", Title: "One more step", Icon: "key", Roles: act.Entrant, Template: templates, File: "page/step.html", Calls: calls("step", "login.step")},
		{Path: "/security", Title: "My security", Section: "People", Icon: "lock", Order: 41, Roles: act.Readers, Template: templates, File: "page/security.html",
			Calls: calls("sessions", "session.list", "devices", "device.list", "factors", "factor.list", "tokens", "token.list", "step", "login.step")},
	}
}

// calls are queries without input, by name.
func calls(pairs ...string) func(map[string]string, url.Values) map[string]act.Call {
	return func(map[string]string, url.Values) map[string]act.Call {
		all := map[string]act.Call{}
		for i := 0; i < len(pairs); i += 2 {
			all[pairs[i]] = act.Call{Op: pairs[i+1]}
		}
		return all
	}
}
