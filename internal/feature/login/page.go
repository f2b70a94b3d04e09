package login

import (
	"embed"
	"net/url"

	"hostward/internal/act"
)

//go:embed page
var templates embed.FS

// The page of one's own security shows tokens too: it names their operations,
// as every form does.
func pages() []act.Page {
	return []act.Page{
		{
			Path: "/setup", Title: "Set up", Icon: "key", Roles: act.Stranger | act.Readers, Template: templates, File: "page/setup.html",
			Calls: func(map[string]string, url.Values) map[string]act.Call {
				return map[string]act.Call{"state": {Op: "login.ready"}}
			},
		},
		{
			Path: "/security", Title: "My security", Section: "People", Icon: "lock", Order: 41,
			Roles: act.Readers, Template: templates, File: "page/security.html",
			Calls: func(map[string]string, url.Values) map[string]act.Call {
				return map[string]act.Call{"sessions": {Op: "session.list"}, "tokens": {Op: "token.list"}}
			},
		},
	}
}
