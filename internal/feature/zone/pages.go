package zone

import (
	"encoding/json"
	"net/url"
	"strconv"

	"hostward/internal/act"
)

func (z *Zones) pageList() []act.Page {
	return []act.Page{
		{
			Path: "/zones", Title: "Zones", Section: "DNS", Icon: "zone", Order: 10,
			Roles: act.Readers, Template: z.pages, File: "page/zones.html",
			Calls: func(_ map[string]string, q url.Values) map[string]act.Call {
				return map[string]act.Call{"zones": call("zone.list", ListIn{Search: q.Get("q"), Owner: q.Get("owner"), After: q.Get("after")})}
			},
		},
		{Path: "/zones/new", Title: "New zone", Icon: "zone", Roles: act.Hosted, Template: z.pages, File: "page/new.html"},
		{Path: "/zones/import", Title: "Import a zone", Icon: "zone", Roles: act.Hosted, Template: z.pages, File: "page/import.html"},
		{Path: "/zones/import/many", Title: "Import many zones", Icon: "zone", Roles: act.Hosted, Template: z.pages, File: "page/many.html"},
		{Path: "/zones/fetch", Title: "Take a zone over", Icon: "zone", Roles: act.Hosted, Template: z.pages, File: "page/fetch.html"},
		{
			Path: "/zones/deleted", Title: "Deleted zones", Icon: "zone", Roles: act.Readers, Template: z.pages, File: "page/deleted.html",
			Calls: func(_ map[string]string, q url.Values) map[string]act.Call {
				return map[string]act.Call{"zones": call("zone.deleted.list", DeletedIn{Search: q.Get("q"), After: q.Get("after")})}
			},
		},
		{Path: "/zones/bulk", Title: "Replace in all zones", Icon: "zone", Roles: act.Hosted, Template: z.pages, File: "page/bulk.html", Calls: bulkCalls},
		{
			Path: "/zones/{zone}", Title: "Zone", Icon: "zone", Roles: act.Readers, Template: z.pages, File: "page/zone.html",
			Calls: func(path map[string]string, q url.Values) map[string]act.Call {
				return map[string]act.Call{"zone": call("zone.show", ShowIn{Zone: path["zone"], Version: numeric(q.Get("version")),
					Search: q.Get("q"), Type: q.Get("type"), After: q.Get("after"), Limit: 200, Check: true})}
			},
		},
		{
			Path: "/zones/{zone}/edit", Title: "Edit records", Icon: "zone", Roles: act.Hosted, Template: z.pages, File: "page/edit.html",
			Calls: func(path map[string]string, q url.Values) map[string]act.Call {
				in := ShowIn{Zone: path["zone"], Only: q["set"], Limit: 1000}
				if len(in.Only) == 0 {
					in.Limit = 1 // only its name is shown
				}
				return map[string]act.Call{"zone": call("zone.show", in)}
			},
		},
		{
			Path: "/zones/{zone}/template", Title: "Records from a template", Icon: "zone", Roles: act.Hosted, Template: z.pages, File: "page/template.html",
			Calls: func(path map[string]string, _ url.Values) map[string]act.Call {
				return map[string]act.Call{"zone": call("zone.show", ShowIn{Zone: path["zone"], Limit: 1}), "templates": call("zone.template.list", TemplateListIn{})}
			},
		},
		{
			Path: "/zones/{zone}/paste", Title: "Paste records", Icon: "zone", Roles: act.Hosted, Template: z.pages, File: "page/paste.html",
			Calls: func(path map[string]string, _ url.Values) map[string]act.Call {
				return map[string]act.Call{"zone": call("zone.show", ShowIn{Zone: path["zone"], Limit: 1})}
			},
		},
		{
			Path: "/zones/{zone}/file", Title: "Zone file", Icon: "zone", Roles: act.Readers, Template: z.pages, File: "page/file.html",
			Calls: func(path map[string]string, _ url.Values) map[string]act.Call {
				return map[string]act.Call{"zone": call("zone.show", ShowIn{Zone: path["zone"], File: true, Limit: 1})}
			},
		},
		{
			Path: "/zones/{zone}/signing", Title: "DNSSEC", Icon: "key", Roles: act.Readers, Template: z.pages, File: "page/signing.html",
			Calls: func(path map[string]string, _ url.Values) map[string]act.Call {
				return map[string]act.Call{"signing": call("zone.signing.show", SigningIn{Zone: path["zone"]})}
			},
		},
		{
			Path: "/zones/{zone}/health", Title: "Health", Icon: "eye", Roles: act.Readers, Template: z.pages, File: "page/health.html",
			Calls: func(path map[string]string, q url.Values) map[string]act.Call {
				return map[string]act.Call{"health": call("zone.health.show", HealthIn{Zone: path["zone"], Now: q.Get("now") != ""})}
			},
		},
		{
			Path: "/zones/{zone}/history", Title: "History", Icon: "zone", Roles: act.Readers, Template: z.pages, File: "page/history.html",
			Calls: historyCalls,
		},
	}
}

func bulkCalls(_ map[string]string, q url.Values) map[string]act.Call {
	if q.Get("from") == "" {
		return nil
	}
	return map[string]act.Call{"found": call("zone.bulk.find", BulkIn{Type: q.Get("type"), From: q.Get("from"), To: q.Get("to")})}
}

func historyCalls(path map[string]string, q url.Values) map[string]act.Call {
	calls := map[string]act.Call{
		"zone":    call("zone.show", ShowIn{Zone: path["zone"], Limit: 1}),
		"history": call("zone.history", HistoryIn{Zone: path["zone"], Before: numeric(q.Get("after"))}),
	}
	switch back := q.Get("restore"); {
	case back != "":
		calls["back"] = call("zone.diff", DiffIn{Zone: path["zone"], To: numeric(back), Back: true})
	case q.Get("to") != "":
		calls["diff"] = call("zone.diff", DiffIn{Zone: path["zone"], From: numeric(q.Get("from")), To: numeric(q.Get("to"))})
	}
	return calls
}

func call(op string, in any) act.Call {
	b, _ := json.Marshal(in) // structs of text and numbers always marshal
	return act.Call{Op: op, Input: b}
}

// numeric reads a number of the address; what is none becomes one that no
// operation takes, so that the page says so.
func numeric(text string) int64 {
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return -1
	}
	return n
}
