package account

import (
	"embed"
	"encoding/json"
	"net/url"

	"hostward/internal/act"
)

//go:embed page
var templates embed.FS

// A page may show what other features know about an account: it names their
// queries, as forms name operations.
func pages() []act.Page {
	return []act.Page{
		{
			Path: "/accounts", Title: "Accounts", Section: "People", Icon: "account", Order: 40,
			Roles: act.Staff | act.Auditor, Template: templates, File: "page/accounts.html",
			Calls: func(_ map[string]string, q url.Values) map[string]act.Call {
				return map[string]act.Call{"accounts": call("account.list", Filter{Text: q.Get("q"), After: q.Get("after"), Limit: 100})}
			},
		},
		{
			Path: "/accounts/new", Title: "New account", Icon: "account", Roles: act.Staff,
			Template: templates, File: "page/new.html",
		},
		{
			Path: "/accounts/{id}", Title: "Account", Icon: "account", Roles: act.Readers,
			Template: templates, File: "page/account.html",
			Calls: func(path map[string]string, _ url.Values) map[string]act.Call {
				in := ID{path["id"]}
				return map[string]act.Call{"account": call("account.show", in), "sessions": call("session.list", in), "tokens": call("token.list", in), "factors": call("factor.list", in)}
			},
		},
	}
}

func call(op string, in any) act.Call {
	b, _ := json.Marshal(in) // structs of text and numbers always marshal
	return act.Call{Op: op, Input: b}
}
