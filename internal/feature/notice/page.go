package notice

import (
	"embed"
	"net/url"

	"hostward/internal/act"
)

//go:embed page
var templates embed.FS

func pages() []act.Page {
	return []act.Page{{
		Path: "/notices", Title: "Notices", Section: "People", Icon: "mail", Order: 42, Roles: act.Readers, Template: templates, File: "page/notices.html",
		Calls: func(map[string]string, url.Values) map[string]act.Call {
			return map[string]act.Call{"notices": {Op: "notice.list"}}
		},
	}}
}
