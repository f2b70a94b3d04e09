//go:build !linux

package main

import "errors"

func load([]string) error { return errors.New("the load is made on Linux only") }
