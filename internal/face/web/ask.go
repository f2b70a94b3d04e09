package web

import (
	"encoding/json"
	"net/http"

	"hostward/internal/act"
	"hostward/internal/core"
)

// ask answers a query as JSON, for what a page asks while somebody types: how
// strong a password is, what a passkey is asked with. It is a POST, so that what
// was typed stands in no address.
func (f *Face) ask(v *visit) {
	op, ok := f.Registry.Op(v.r.PathValue("op"))
	if !ok || op.Method != "query" {
		f.reply(v, http.StatusNotFound, map[string]any{"error": "There is no query of this name."})
		return
	}
	values, _, err := f.sent(v, op)
	if err == nil {
		var r act.Result
		if r, err = f.Bus.Do(v.ctx(), act.Call{Op: op.Name, Actor: v.actor, Input: input(op, values, nil)}); err == nil {
			f.reply(v, http.StatusOK, map[string]any{"output": r.Output})
			return
		}
	}
	e := core.AsError(err)
	f.reply(v, statusOf(e.Code), map[string]any{"error": upper(e.Sentence())})
}

func (f *Face) reply(v *visit, status int, answer any) {
	b, err := json.Marshal(answer)
	if err != nil {
		f.Logger.Error("an answer cannot be written as JSON", "path", v.r.URL.Path, "error", err)
		status, b = http.StatusInternalServerError, []byte(`{"error":"Something went wrong on the server."}`)
	}
	v.w.Header().Set("Content-Type", "application/json")
	v.w.WriteHeader(status)
	_, _ = v.w.Write(b)
}
