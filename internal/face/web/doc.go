// Package web is the panel: the registry of operations as pages and forms. It
// knows no feature. Whatever is declared can be used here without a line of
// HTML, at /do/NAME: a change has a form with a preview, a query shows its
// answer as a table. Pages are for what people do every day.
//
// What it promises: works without JavaScript and without a mouse; nothing
// inline under a strict Content-Security-Policy; WCAG 2.2 AA; the first page
// under 100 KB (SPEC Q1). The tests in Chromium measure all of it.
//
// # How a feature declares a page
//
//	//go:embed page
//	var pages embed.FS
//
//	act.Page{
//		Path: "/zones", Title: "Zones", Section: "DNS", Icon: "zone", Order: 10,
//		Roles: act.Readers, Template: pages, File: "page/zones.html",
//		Calls: func(path map[string]string, q url.Values) map[string]act.Call {
//			in, _ := json.Marshal(ListIn{Text: q.Get("q"), After: q.Get("after"), Sort: q.Get("sort")})
//			return map[string]act.Call{"zones": {Op: "zone.list", Input: in}}
//		},
//	}
//
// The face sets the actor of each call.
// All calls of a page run in one View, which is one snapshot.
//
//   - Path: words and parameters, "/zones/{zone}". A word beats a parameter.
//   - Section: heading of the group in the rail; the page's Title is the entry.
//     Pages with parameters are never in the rail; they mark the entry whose path
//     begins theirs ("/zones/z_1" marks "/zones"). Section "" keeps a page out.
//   - Words: what else people search it by, such as the name that other panels have.
//   - Order: place in the rail, smallest first, over all features.
//   - Icon: a name of icon.go (zone, account, log, policy, shield, key, clock,
//     lock, mail, server, ban, cert, backup, database, firewall, door …).
//   - Kind.Path: set it ("/zones/{id}"), so that search and redirects find the object.
//   - A page at "/" replaces the plain overview, for its roles; so do "/login" and
//     "/setup".
//
// A call that answers not-found makes the whole page a 404. One that is denied
// or got bad input leaves Get nil and its sentence in Fault: show both cases.
//
// # What a page's file holds
//
// Only what stands inside <main>, as html/template; the shell is around it.
// Optionally {{define "title"}}…{{end}}, when the title is more than the
// declared one. No <script>, no style= and no on…= attribute: the policy
// forbids them and the test fails. One <h1>, then sections with <h2>.
//
// The dot is a Sheet. Inside range and with, reach it as $.
//
//	.Get "zones"          output of that call (nil when it failed)
//	.Fault "zones"        why it failed, a sentence or ""
//	.Version "zone"       version of its target, for "_expect"
//	.Path.zone            a parameter of the path
//	.Query.Get "q"        the query string
//	.Actor .Now           who looks; the page's one time
//	.May "zone.create"    may this role call it?
//	.Is "customer"        is it this role? ("administrator", "reseller", "auditor" …)
//	.Here                 this page's address
//	.With "class" "dns"   this page's address with a parameter set ("" removes it)
//	.Form, .Button        see below
//	.Sort .Pager .Bars .Bar .Histogram .Stretches .Stretch .Curve .Tasks .Pages .Ledger
//
// Functions: badge when precise day ago span code verbatim count size plural
// human upper clip icon dict. Times are shown in UTC; the browser adds local
// time as a tooltip. They accept time.Time and RFC 3339 text.
//
// # A list
//
//	{{$list := .Get "zones"}}
//	<div class="head"><h1>Zones</h1>
//	<div class="acts">{{if .May "zone.create"}}<a class="button main" href="/zones/new">New zone</a>{{end}}</div></div>
//	<form class="filters"><div class="field"><label for="q">Name</label>
//	<input id="q" name="q" value="{{.Query.Get "q"}}"></div><button>Filter</button></form>
//	{{with .Fault "zones"}}<div class="note bad">{{icon "warn"}}<div>{{.}}</div></div>{{end}}
//	{{if $list}}{{if $list.Zones}}
//	<div class="scroll" tabindex="0" role="region" aria-label="Zones">
//	<table class="grid stack">
//	<thead><tr>{{.Sort "name" "Name"}}<th scope="col">Owner</th><th scope="col" class="num">Records</th>
//	<th scope="col">State</th><th scope="col"><span class="sr">Actions</span></th></tr></thead>
//	<tbody>{{range $list.Zones}}<tr>
//	<th scope="row" class="lead"><a href="/zones/{{.ID}}">{{.Name}}</a></th>
//	<td>{{.Owner}}</td>
//	<td class="num" data-label="Records">{{count .Records}}</td>
//	<td>{{badge .State}}</td>
//	<td class="ends">{{$.Button "zone.delete" "Delete" "zone" .ID "_about" .Name "_class" "small ghost" "_next" "/zones"}}</td>
//	</tr>{{end}}</tbody></table></div>
//	{{.Pager $list.Next}}
//	{{else}}{{template "empty" dict "title" "No zones yet" "text" "Import a BIND zone file, or create a zone and add records to it."
//		"act" (.Button "zone.create" "Create a zone" "_class" "main")}}{{end}}{{end}}
//
// Table classes: th/td "num" right-aligned figures, "fit" as narrow as can be,
// "wrap" long text that breaks, "ends" row actions. "stack" on the table makes
// each row a card on a phone: give "lead" to the cell that names the row, and
// data-label to figures that need their column's name. Without "stack" the
// table scrolls sideways. Lists use keyset pages: the query parameter is
// "after", the output's cursor goes to .Pager. Sorting is "sort", "name" or
// "-name".
//
// <input data-narrows="ID"> hides the rows of the table with that id that do not
// hold what is typed, until the form is sent.
//
// # A form
//
//	{{.Form "zone.create" "tenant" .Path.tenant}}
//	{{.Form "zone.settings" "zone!" .Path.zone "ttl" $zone.TTL "_expect" (.Version "zone")}}
//
// Fields come from the operation's input: name, doc sentence, rule, form tag.
// Pairs fill them in, a list of structs the rows of a list of objects; a name ending in "!" is fixed and hidden. Steering pairs:
// "_next" where a success leads (default: the page of the changed object),
// "_check" a query that takes the same rows and is asked while somebody types:
// its answer has faults (line, field, says), warnings and diff; "_hints" the id of
// a <dl> that explains each value of the rows' "type";
// "_kinds" a Kinds, which gives rows the fields of their "type" in place of a
// line of "data"; "_text" "1" begins with lines;
// "_submit" the button's word, "_expect" the version last seen (a change in
// between answers "changed meanwhile"), "_preview" "no" to leave the preview
// button out. The form sends itself to /do/NAME; if it does not go through,
// your page is shown again with the faults beside the fields and the values
// kept, secrets never. A preview shows your page with the plan above the form.
// Nothing is shown to an actor whose role may not call it.
//
// .Button makes a one-click form, or, when the operation must be confirmed or
// needs more than the pairs give, a link to its own page, which asks:
//
//	{{.Button "zone.enable" "Enable" "zone" .ID "_about" .Name "_class" "small"}}
//
// "_about" completes the label for a screen reader ("Enable example.org");
// classes: main, danger, ghost, small.
//
// # Parts
//
//	{{badge "in force"}}  {{badge "refused"}}           shape, word and colour
//	{{code .Digest}}  {{verbatim .Zonefile}}               with a copy button
//	{{template "diff" .Fields}}                         []act.Field, − old and + new
//	{{template "event" .}}                              a ledger.Event with its diff
//	<dl class="facts"><dt>Owner</dt><dd>…</dd></dl>     definition list
//	<dl class="stats"><div><dt>Zones</dt><dd>{{count 412}}</dd><dd>12 signed</dd></div></dl>
//	<div class="cols"><div>…</div><aside>…</aside></div> two columns, one on a phone
//	<div class="note good|wait|bad">{{icon "check"}}<div>…</div></div>
//	<span class="chip">dns</span>  <span class="soft">…</span>  <span class="mono">…</span>
//	<details><summary>…</summary>…</details>
//
// # A plot
//
//	{{$bars := .Bars}}{{range $log.Buckets}}
//	{{$bars = append $bars ($.Bar .From .To ($.With "from" .From "to" .To) "done" .Done "refused" .Refused "failed" .Failed)}}
//	{{end}}{{.Histogram "Records" $bars}}
//
// What swings around nothing, in seconds, is a curve; last is whether it is known:
//
//	{{$list := .Stretches}}{{range .Points}}{{$list = append $list ($.Stretch .From .To .Least .Most true)}}{{end}}
//	{{.Curve "Offset" .From .To 0.1 $list}}
//
// # A live tail
//
// A stream operation is at /stream/NAME as server-sent events, and at
// /download/NAME as a file (strings and bytes go out as they are, other items
// as JSON Lines; the ending is that of the input's "format", or of "_format"). A page that shows the newest rows first can let
// new ones in on top; cells take the item's JSON fields:
//
//	<label class="check later"><input type="checkbox" data-live="/stream/log.tail?class=dns" data-into="#rows"> Live</label>
//	<table class="grid"><tbody id="rows"><template><tr>
//	<td><time data-cell="time"></time></td>
//	<th scope="row"><a data-cell="action" data-href="/log/{}" data-key="id"></a></th>
//	</tr></template>{{range …}}…{{end}}</tbody></table>
//
// # Sessions
//
// An operation whose output is an Opener opens a session: the face puts the
// token into the __Host-session cookie. One whose output is a Closer ends it.
// On /setup the field called "token" is filled from the link's fragment.
package web
