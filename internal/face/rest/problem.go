package rest

import (
	"errors"
	"net/http"

	"hostward/internal/core"
)

// Problem is an RFC 9457 problem document. Type leads to the paragraph of the
// documentation that explains it.
type Problem struct {
	Type   string       `json:"type"`
	Title  string       `json:"title"`
	Status int          `json:"status"`
	Detail string       `json:"detail"`
	Code   string       `json:"code"`
	Faults []core.Fault `json:"faults,omitempty"`
	Record string       `json:"record,omitempty"` // id of the log record of the refusal
}

// meaning is how one code looks over HTTP.
type meaning struct {
	Code   string
	Status int
	Title  string
	Doc    string
}

// Codes that only this face has: the request did not reach an operation's input.
const (
	unreadable = "unreadable"
	noMethod   = "method"
	tooLarge   = "too-large"
	mediaType  = "media-type"
)

// meanings is the one table from codes to HTTP.
var meanings = []meaning{
	{string(core.Invalid), http.StatusUnprocessableEntity, "The input breaks a rule", "The faults name each field, what was given (never a secret) and what is accepted. Nothing was done."},
	{unreadable, http.StatusBadRequest, "The request cannot be read", "The body is not JSON, the text is not UTF-8, or a header or parameter has no meaning here. Nothing was done."},
	{string(core.Unauthenticated), http.StatusUnauthorized, "Log in first", "Send a valid token as Authorization: Bearer. What was wrong with the one you sent is in the action log, not here."},
	{string(core.Unproved), http.StatusForbidden, "Prove once more who you are", "The operation asks for a second factor that was shown a moment ago. A person gives it in the panel; a token needs a grant for this operation by its very name."},
	{string(core.Denied), http.StatusForbidden, "Not allowed", "You are known, but your role, the age of your second factor, or the [api] section of panel.ini forbids it."},
	{string(core.NotFound), http.StatusNotFound, "There is no such thing", "It does not exist, or it is not yours: the two look the same."},
	{noMethod, http.StatusMethodNotAllowed, "Wrong method", "The Allow header names the methods this address takes."},
	{string(core.Conflict), http.StatusConflict, "The state forbids it", "A name is taken, a key was used for another call, or something must be done first."},
	{string(core.Stale), http.StatusPreconditionFailed, "It was changed meanwhile", "If-Match names an older version. Read it again, decide again, send again."},
	{tooLarge, http.StatusRequestEntityTooLarge, "Too large", "JSON bodies have at most 1 MB, files at most 128 MB."},
	{mediaType, http.StatusUnsupportedMediaType, "Wrong content type", "Send application/json; an operation with one file also takes that file as text/plain or application/octet-stream."},
	{string(core.Unconfirmed), http.StatusPreconditionRequired, "Needs confirmation", "The operation cannot be taken back lightly. Look with ?preview=true, then send it again with the header Confirm: true."},
	{string(core.Throttled), http.StatusTooManyRequests, "Too many attempts", "Wait as long as Retry-After says."},
	{string(core.Unavailable), http.StatusServiceUnavailable, "Not now", "The disk is full, another server is the active one, or this one is stopping. Nothing was changed; the same call with the same Idempotency-Key is safe."},
	{string(core.Internal), http.StatusInternalServerError, "Our fault", "The server's own log says what happened. Nothing was changed."},
}

func meaningOf(code string) meaning {
	for _, m := range meanings {
		if m.Code == code {
			return m
		}
	}
	return meanings[len(meanings)-1]
}

// refusal is an error with a code that only this face has.
type refusal struct {
	code  string
	cause *core.Error
}

func (r *refusal) Error() string { return r.cause.Error() }
func (r *refusal) Unwrap() error { return r.cause }

// refuse makes an error of this face; for the log it is invalid input.
func refuse(code, format string, args ...any) error {
	return &refusal{code, core.Errorf(core.Invalid, format, args...)}
}

// problem describes err for the caller; causes stay inside.
func problem(err error, record string) Problem {
	e := core.AsError(err)
	code := string(e.Code)
	if e.Code == core.Invalid && len(e.Faults) == 0 {
		code = unreadable
	}
	if r, ok := errors.AsType[*refusal](err); ok {
		code = r.code
	}
	m := meaningOf(code)
	return Problem{Type: Base + "/docs#" + m.Code, Title: m.Title, Status: m.Status, Detail: e.Public, Code: m.Code, Faults: e.Faults, Record: record}
}

// announce sets the headers that belong to a status.
func announce(h http.Header, status int) {
	switch status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="hostward"`)
	case http.StatusTooManyRequests:
		h.Set("Retry-After", "60")
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", "5")
	}
}
