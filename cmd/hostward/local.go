package main

import (
	"net/http"
	"os"
	"os/user"
	"strconv"

	"hostward/internal/act"
	"hostward/internal/core"
)

// myself is the caller of a recovery word: whoever runs this process.
func myself(*http.Request) (act.Actor, error) {
	name := "uid " + strconv.Itoa(os.Getuid())
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	return act.Actor{Kind: "os", ID: "uid:" + strconv.Itoa(os.Getuid()), Name: name, Role: act.Primary, Tenant: core.Provider, Door: "cli"}, nil
}
