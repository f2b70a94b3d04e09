package handler

import (
	"net/url"

	"hostward/internal/act"
)

func (h *Handlers) pageList() []act.Page {
	return []act.Page{
		{Path: "/handlers", Title: "Handler policy", Section: "Server", Icon: "policy", Order: 45, Roles: act.Admins | act.Auditor, Template: pages, File: "page/handlers.html",
			Calls: func(map[string]string, url.Values) map[string]act.Call {
				return map[string]act.Call{"policy": {Op: "handler.show"}, "impact": {Op: "handler.impact"}}
			}},
	}
}
