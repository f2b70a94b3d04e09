package factor

import (
	"embed"

	"hostward/internal/act"
)

//go:embed page
var templates embed.FS

// The pages that show what is shown once; the rest stands on "My security".
func pages() []act.Page {
	return []act.Page{
		{Path: "/security/app", Title: "Authenticator app", Icon: "key", Roles: act.Readers | act.Entrant, Template: templates, File: "page/app.html", Answer: "totp.begin"},
		{Path: "/security/codes", Title: "Recovery codes", Icon: "key", Roles: act.Readers | act.Entrant, Template: templates, File: "page/codes.html", Answer: "recovery.renew totp.confirm passkey.add"},
		{Path: "/security/passkey", Title: "Add a passkey", Icon: "key", Roles: act.Readers | act.Entrant, Template: templates, File: "page/passkey.html"},
	}
}
