package clock

import (
	"embed"
	"encoding/json"
	"net/url"
	"strconv"

	"hostward/internal/act"
)

//go:embed page
var templates embed.FS

func pages() []act.Page {
	return []act.Page{
		{Path: "/clock", Title: "Clock", Section: "Server", Icon: "clock", Order: 33, Roles: act.Admins | act.Auditor, Template: templates, File: "page/clock.html",
			Calls: func(_ map[string]string, q url.Values) map[string]act.Call {
				hours, _ := strconv.Atoi(q.Get("hours")) // text that is no number is the last day
				in, _ := json.Marshal(SeriesIn{Hours: min(max(hours, 0), 9600)})
				return map[string]act.Call{"clock": {Op: "clock.show"}, "series": {Op: "clock.series", Input: in}}
			}},
		{Path: "/clock/source", Title: "Source of time", Icon: "clock", Roles: act.Admins, Template: templates, File: "page/source.html", Calls: shown},
		{Path: "/clock/settings", Title: "Settings of the clock", Icon: "clock", Roles: act.Admins, Template: templates, File: "page/settings.html", Calls: shown},
	}
}

func shown(map[string]string, url.Values) map[string]act.Call {
	return map[string]act.Call{"clock": {Op: "clock.show"}}
}
