//go:build !linux

package watch

import (
	"context"
	"sync/atomic"
)

// waker tells nothing here: looking now and then is what there is.
type waker struct {
	Woke     chan struct{}
	Appeared atomic.Bool
}

func newWaker(context.Context) *waker { return &waker{} }

func (w *waker) watch(string) {}
