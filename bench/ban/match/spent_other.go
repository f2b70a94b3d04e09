//go:build !linux

package main

import "time"

var began = time.Now()

// spent is the time since the start, where that on a processor is not known.
func spent() time.Duration { return time.Since(began) }
