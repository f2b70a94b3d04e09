package actionlog

import (
	"encoding/json"
	"net/url"
	"strconv"

	"hostward/internal/act"
)

func pageList() []act.Page {
	return []act.Page{
		{Path: "/log", Title: "Action log", Section: "Log", Icon: "log", Order: 40, Roles: act.Readers,
			Template: pages, File: "page/log.html", Calls: listCalls},
		{Path: "/log/{record}", Title: "Record", Section: "Log", Icon: "log", Roles: act.Readers,
			Template: pages, File: "page/record.html", Calls: recordCalls},
		{Path: "/log/seal", Title: "Seal and proof", Section: "Log", Icon: "shield", Order: 41, Roles: act.Readers,
			Template: pages, File: "page/seal.html", Calls: sealCalls},
	}
}

// Selected reads a Selection from the query string of a page.
func selected(q url.Values) Selection {
	return Selection{From: q.Get("from"), To: q.Get("to"), Class: trim(q["class"]), Action: trim(q["action"]), Outcome: trim(q["outcome"]),
		Door: trim(q["door"]), Actor: q.Get("actor"), Address: q.Get("address"), Object: q.Get("object"), Session: q.Get("session"), Text: q.Get("text")}
}

func listCalls(_ map[string]string, q url.Values) map[string]act.Call {
	before, _ := strconv.Atoi(q.Get("after"))
	return map[string]act.Call{
		"log":  call("log.list", Listing{Selection: selected(q), Before: max(before, 0)}),
		"bars": call("log.histogram", selected(q)),
	}
}

func recordCalls(path map[string]string, _ url.Values) map[string]act.Call {
	return map[string]act.Call{"record": call("log.show", One{path["record"]})}
}

// sealCalls verifies only when asked to: it reads the whole log.
func sealCalls(_ map[string]string, q url.Values) map[string]act.Call {
	calls := map[string]act.Call{"status": {Op: "log.status"}}
	if q.Get("verify") != "" {
		calls["report"] = act.Call{Op: "log.verify"}
	}
	return calls
}

func call(op string, in any) act.Call {
	b, _ := json.Marshal(in) // structs of strings and numbers: cannot fail
	return act.Call{Op: op, Input: b}
}
