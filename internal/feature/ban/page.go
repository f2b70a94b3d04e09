package ban

import (
	"encoding/json"
	"net/url"
	"strconv"

	"hostward/internal/act"
)

func pages() []act.Page {
	return []act.Page{
		{Path: "/bans", Title: "Bans", Section: "Server", Icon: "ban", Order: 31, Roles: readers, Template: templates, File: "page/bans.html", Calls: listCalls},
		{Path: "/bans/new", Title: "New ban", Icon: "ban", Roles: act.Admins, Template: templates, File: "page/new.html"},
		{Path: "/bans/why", Title: "Why banned", Icon: "ban", Roles: readers, Template: templates, File: "page/why.html", Calls: whyCalls},
		{Path: "/bans/events", Title: "What the engines did", Icon: "ban", Roles: readers, Template: templates, File: "page/events.html", Calls: eventCalls},
		{Path: "/bans/jails/{jail}", Title: "Jail {jail}", Icon: "ban", Roles: act.Admins, Template: templates, File: "page/jail.html", Calls: jailCalls},
		{Path: "/bans/trust", Title: "Trusted networks", Icon: "ban", Roles: readers, Template: templates, File: "page/trust.html",
			Calls: func(map[string]string, url.Values) map[string]act.Call {
				return map[string]act.Call{"trust": {Op: "ban.trust.list"}}
			}},
	}
}

func listCalls(_ map[string]string, q url.Values) map[string]act.Call {
	hours, _ := strconv.Atoi(q.Get("hours")) // what is no number is a day
	return map[string]act.Call{
		"bans":  call("ban.list", ListIn{Jail: q.Get("jail"), Address: q.Get("address"), After: q.Get("after"), Limit: 50}),
		"jails": {Op: "jail.list"},
		"bars":  call("ban.histogram", HistogramIn{Hours: min(max(hours, 0), 2160)}),
	}
}

// whyCalls asks nothing until there is an address to ask about.
func whyCalls(_ map[string]string, q url.Values) map[string]act.Call {
	if q.Get("address") == "" {
		return nil
	}
	return map[string]act.Call{"why": call("ban.why", WhyIn{Address: q.Get("address")})}
}

func eventCalls(_ map[string]string, q url.Values) map[string]act.Call {
	return map[string]act.Call{"events": call("ban.events", EventsIn{Jail: q.Get("jail"), What: q.Get("what"), After: q.Get("after")})}
}

func jailCalls(map[string]string, url.Values) map[string]act.Call {
	return map[string]act.Call{"jails": {Op: "jail.list"}}
}

func call(op string, in any) act.Call {
	b, _ := json.Marshal(in) // structs of text and numbers always marshal
	return act.Call{Op: op, Input: b}
}
