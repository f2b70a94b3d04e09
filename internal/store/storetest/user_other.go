//go:build !unix

package storetest

import "os/exec"

func asPostgres(*exec.Cmd, string) error { return errNotInstalled }
