package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/login"
	"hostward/internal/house"
)

// panel is a house with its handler.
type panel struct {
	*house.House
	web   http.Handler
	lines *counter
}

var root = act.Actor{Kind: "os", ID: "uid:0", Name: "root", Role: act.Primary, Tenant: core.Provider, Door: "cli"}

const password = "seven brown hens under a ladder"

func open(dir string) (*panel, error) {
	p := &panel{lines: &counter{}}
	var err error
	if p.House, err = house.Open(context.Background(), house.Config{Data: dir, PanelLog: p.lines}); err != nil {
		return nil, err
	}
	if p.web, err = p.Web("bench"); err != nil {
		return nil, err
	}
	_, err = p.call(root, "admin.init", map[string]any{"login": "root", "password": password})
	return p, err
}

func (p *panel) call(a act.Actor, op string, in map[string]any) (act.Result, error) {
	b, err := json.Marshal(in)
	if err != nil {
		return act.Result{}, err
	}
	return p.Do(context.Background(), act.Call{Op: op, Actor: a, Input: b, Confirmed: true})
}

// Do is the bus's.
func (p *panel) Do(ctx context.Context, c act.Call) (act.Result, error) { return p.Bus.Do(ctx, c) }

// account makes one with a password.
func (p *panel) account(name string) error {
	if _, err := p.call(root, "account.create", map[string]any{"login": name, "role": "customer", "parent": "provider"}); err != nil {
		return err
	}
	r, err := p.call(root, "login.invite", map[string]any{"account": name})
	if err != nil {
		return err
	}
	stranger := act.Actor{Kind: "stranger", Role: act.Stranger, Door: "rest", Address: "192.0.2.1"}
	_, err = p.call(stranger, "login.claim", map[string]any{"token": r.Output.(login.Link).Token(), "password": password})
	return err
}

// try logs in by the form of the panel and returns the status.
func (p *panel) try(from, name, password string) int {
	form := url.Values{"login": {name}, "password": {password}}
	r := httptest.NewRequest("POST", "https://panel.example/do/login.enter", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.RemoteAddr = from
	rec := httptest.NewRecorder()
	p.web.ServeHTTP(rec, r)
	return rec.Code
}

// elsewhere is the n-th network of many.
func elsewhere(n int) string { return fmt.Sprintf("[2001:db8:%x:%x::1]:443", n>>16, n&0xffff) }

// counter counts lines.
type counter struct{ lines, bytes int }

func (c *counter) Write(b []byte) (int, error) {
	c.lines += strings.Count(string(b), "\n")
	c.bytes += len(b)
	return len(b), nil
}

var _ io.Writer = (*counter)(nil)
