package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"hostward/internal/act"
	"hostward/internal/core"
)

// showOp is the page that every operation has without anybody writing one: a
// form for a change, a form and its answer for a query.
func (f *Face) showOp(v *visit) {
	f.showOpWith(v, v.r.URL, http.StatusOK, nil)
}

func (f *Face) showOpWith(v *visit, u *url.URL, status int, try *attempt) {
	op, ok := f.Registry.Op(strings.TrimPrefix(u.Path, "/do/"))
	switch {
	case v.outside() && (!ok || !f.entry(op) || !f.Bus.May(v.actor, op)):
		f.toLogin(v)
		return
	case !ok:
		f.fail(v, core.Errorf(core.NotFound, "there is no operation of this name"))
		return
	case !f.Bus.May(v.actor, op) && try != nil: // it was refused on record already
		f.fail(v, core.Errorf(core.Denied, "%s is for %s", op.Name, op.Roles))
		return
	case !f.Bus.May(v.actor, op):
		f.denied(v, op.Name, core.Errorf(core.Denied, "%s is for %s", op.Name, op.Roles))
		return
	}
	s := f.sheet(v, &route{Page: act.Page{Path: "/do/{op}", Title: headline(op.Doc)}}, map[string]string{"op": op.Name}, u)
	s.try = try
	p := opPage{Sheet: s, Op: op, Doc: upper(op.Doc)}
	if err := f.fillOp(v, &p); err != nil {
		f.fail(v, err)
		return
	}
	f.showPart(v, s, "op", p, status)
}

type opPage struct {
	*Sheet
	Op     *act.Op
	Doc    string
	Filled Form
	Table  *Table // output of a query
	Fault  string
}

func (f *Face) fillOp(v *visit, p *opPage) error {
	set, steer := url.Values{}, url.Values{}
	for name, values := range p.Query {
		if strings.HasPrefix(name, "_") {
			steer[name] = values
		} else {
			set[name] = values
		}
	}
	steer.Set("_next", localPath(steer.Get("_next")))
	steer.Del("_submit")
	fixed := url.Values{}
	for _, name := range p.Query["_fixed"] {
		fixed[name] = set[name]
	}
	if p.Op.Confirm && p.try == nil && complete(p.Op, set) {
		p.try = f.foreseen(v, p.Op, set)
	}
	p.Filled = p.form(p.Op, set, fixed, steer, nil)
	p.Filled.Cancel = steer.Get("_next")
	if p.try != nil {
		p.Table = p.try.output
	}
	if p.Op.Method == "query" && complete(p.Op, set) {
		return f.answer(v, p, set)
	}
	return nil
}

// foreseen shows at once what a dangerous operation would do, when everything
// it needs is there: whoever clicked "Delete" wants to see that, not a form.
func (f *Face) foreseen(v *visit, op *act.Op, set url.Values) *attempt {
	try := &attempt{op: op.Name, values: set}
	f.preview(v, act.Call{Op: op.Name, Actor: v.actor, Input: input(op, set, nil)}, try)
	return try
}

func (f *Face) preview(v *visit, c act.Call, try *attempt) {
	c.Preview, c.Key = true, ""
	r, err := f.Bus.Do(v.ctx(), c)
	if err != nil {
		try.err = core.AsError(err)
		return
	}
	op, _ := f.Registry.Op(c.Op)
	try.confirm = op.Confirm
	if try.plan = planOf(r); op.Method != "job" {
		return
	}
	if try.plan = nil; r.Output != nil { // a job that cannot say what it would do says nothing
		try.plan = &Plan{State: r.State, Table: tableOf(r.Output)}
	}
}

func (f *Face) answer(v *visit, p *opPage, set url.Values) error {
	r, err := f.Bus.Do(v.ctx(), act.Call{Op: p.Op.Name, Actor: v.actor, Input: input(p.Op, set, nil)})
	if err != nil && core.CodeOf(err) != core.Invalid {
		return err
	}
	if err != nil {
		p.Filled.blame(core.AsError(err))
		return nil
	}
	p.Table = tableOf(r.Output)
	return nil
}

func complete(op *act.Op, set url.Values) bool {
	return !slices.ContainsFunc(op.Input, func(p act.Param) bool { return p.Required && set.Get(p.Name) == "" })
}

// do runs one change that a form asked for, or a query that takes a file.
func (f *Face) do(v *visit) {
	name := v.r.PathValue("op")
	op, ok := f.Registry.Op(name)
	values, uploads, err := f.sent(v, op)
	if !ok {
		_, err = f.Bus.Do(v.ctx(), act.Call{Op: name, Actor: v.actor}) // refused, and on record
		f.fail(v, err)
		return
	}
	try := &attempt{op: name, values: values, uploads: kept(op, values, uploads)}
	if err != nil {
		_, err = f.Bus.Refuse(v.ctx(), act.Call{Op: name, Actor: v.actor}, err)
		try.err = core.AsError(err)
		f.again(v, try)
		return
	}
	if more, ok := strings.CutPrefix(values.Get("_do"), "more:"); ok {
		try.more = more
		f.again(v, try)
		return
	}
	if way, ok := strings.CutPrefix(values.Get("_do"), "as:"); ok {
		if values.Del(asText); way == "text" {
			values.Set(asText, "1")
		}
		f.again(v, try)
		return
	}
	f.call(v, op, try)
}

// kept joins files sent now with those that an earlier try of the form left
// behind. The handle alone is no right: the bus knows whose upload it is.
func kept(op *act.Op, values url.Values, uploads map[string]string) map[string]string {
	all := map[string]string{}
	for _, p := range op.Input {
		if handle := values.Get("_upload." + p.Name); p.Type == "file" && handle != "" && values.Get(p.Name) == "" {
			all[p.Name] = handle
		}
	}
	for name, handle := range uploads {
		all[name] = handle
	}
	return all
}

func (f *Face) call(v *visit, op *act.Op, try *attempt) {
	if err := f.proved(v, try.values); err != nil {
		try.err = err
		f.again(v, try)
		return
	}
	known(v.r, op, try.values)
	expect, _ := strconv.ParseUint(try.values.Get("_expect"), 10, 64)
	c := act.Call{Op: op.Name, Actor: v.actor, Input: input(op, try.values, try.uploads), Expect: expect,
		Reason: try.values.Get("_reason"), Key: try.values.Get("_key"), Confirmed: try.values.Get("_confirmed") == "1"}
	if try.values.Get("_do") == "preview" {
		f.preview(v, c, try)
		f.again(v, try)
		return
	}
	r, err := f.Bus.Do(v.ctx(), c)
	switch {
	case err != nil && core.CodeOf(err) == core.Unconfirmed:
		f.preview(v, c, try) // and ask back, with what it would do
		f.again(v, try)
	case err != nil && core.CodeOf(err) == core.Unauthenticated && (v.stranger() || v.lost) && op.Roles&act.Stranger == 0:
		f.toLogin(v)
	case err != nil:
		try.err = core.AsError(err)
		f.again(v, try)
	case op.Method == "query":
		try.output = tableOf(r.Output)
		f.again(v, try)
	default:
		f.done(v, op, r, try)
	}
}

// again shows the page the form stood in once more, with what came of it.
func (f *Face) again(v *visit, try *attempt) {
	status := http.StatusOK
	if try.err != nil {
		status = statusOf(try.err.Code)
	}
	here, err := url.Parse(localPath(try.values.Get("_here")))
	if err != nil || here.Path == "" {
		here = &url.URL{Path: "/do/" + try.op}
	}
	if p, _ := f.find(here.EscapedPath(), v.actor.Role); p == nil || p.Roles&v.actor.Role == 0 {
		if here.Path != "/do/"+try.op {
			here = &url.URL{Path: "/do/" + try.op}
		}
		f.showOpWith(v, here, status, try)
		return
	}
	f.showPage(v, here, status, try)
}

// done answers a success: a redirect with a flash, or, where the output holds
// a secret, the one page that shows it.
func (f *Face) done(v *visit, op *act.Op, r act.Result, try *attempt) {
	f.keep(v, r.Output)
	next := localPath(try.values.Get("_next"))
	if page := f.answers(op.Name); op.Reveals && page != nil && page.Roles&v.actor.Role != 0 {
		f.showAnswer(v, page, r, or(next, f.after(r), "/"))
		return
	}
	if op.Reveals && !opens(r.Output) {
		f.once(v, op, r, or(next, f.after(r)))
		return
	}
	if !f.entry(op) {
		setFlash(v.w, flash{Op: op.Name, State: r.State, Record: r.Record})
	}
	v.redirect(or(next, f.after(r), "/"))
}

// answers is the page that shows what an operation reveals.
func (f *Face) answers(op string) *route {
	for _, p := range f.pages {
		if slices.Contains(strings.Fields(p.Answer), op) {
			return p
		}
	}
	return nil
}

// showAnswer shows what was revealed, once, and where to go on.
func (f *Face) showAnswer(v *visit, p *route, r act.Result, next string) {
	s := f.sheet(v, p, nil, &url.URL{Path: p.Path, RawQuery: url.Values{"next": {next}}.Encode()})
	if err := f.read(v, s); err != nil {
		f.fail(v, err)
		return
	}
	if s.results == nil {
		s.results = map[string]act.Result{}
	}
	s.results["answer"] = r
	f.show(v, s, http.StatusOK)
}

func opens(output any) bool { _, ok := output.(Opener); return ok }

// after is the page of the first object that the change left behind.
func (f *Face) after(r act.Result) string {
	for _, e := range r.Changes {
		if k, ok := f.Registry.Kind(e.Object.Kind); ok && k.Path != "" && e.State != "" {
			return strings.ReplaceAll(k.Path, "{id}", url.PathEscape(e.Object.ID))
		}
	}
	return ""
}

type oncePage struct {
	*Sheet
	Op    *act.Op
	State string
	Next  string
	Table *Table
}

// once shows a secret that no later page can show again (SPEC A4).
func (f *Face) once(v *visit, op *act.Op, r act.Result, next string) {
	s := f.sheet(v, &route{Page: act.Page{Path: "/do/{op}", Title: headline(op.Doc)}}, map[string]string{"op": op.Name}, v.r.URL)
	f.showPart(v, s, "once", oncePage{s, op, r.State, next, revealed(r.Output)}, http.StatusOK)
}

// look keeps how a person likes the face: theme, single-key shortcuts.
func (f *Face) look(v *visit) {
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, 4096)
	year := 365 * 24 * hour
	if t := v.r.PostFormValue("theme"); t == "light" || t == "dark" {
		setCookie(v.w, themeCookie, t, year)
	} else if t == "auto" {
		setCookie(v.w, themeCookie, "", 0)
	}
	if k := v.r.PostFormValue("keys"); k == "off" {
		setCookie(v.w, keysCookie, k, year)
	} else if k == "on" {
		setCookie(v.w, keysCookie, "", 0)
	}
	v.redirect(v.r.PostFormValue("_here"))
}
