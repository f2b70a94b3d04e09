package watch

import (
	"context"
	"encoding/binary"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// waker tells that something happens in folders (inotify). It may tell too often,
// and what it misses is found by looking now and then.
type waker struct {
	fd   int
	f    *os.File // the same, for the runtime to wait on; nil: there is none
	Woke chan struct{}
	// Appeared: a file came into a folder since this was last cleared.
	Appeared atomic.Bool
}

func newWaker(ctx context.Context) *waker {
	w := &waker{Woke: make(chan struct{}, 1)}
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		return w
	}
	w.fd, w.f = fd, os.NewFile(uintptr(fd), "inotify")
	context.AfterFunc(ctx, func() { _ = w.f.Close() })
	go w.run()
	return w
}

func (w *waker) run() {
	buf := make([]byte, 64<<10)
	for {
		n, err := w.f.Read(buf)
		if err != nil {
			return // closed
		}
		for b := buf[:n]; len(b) >= unix.SizeofInotifyEvent; { // wd, mask, cookie, length of the name (inotify(7))
			if binary.NativeEndian.Uint32(b[4:])&unix.IN_MODIFY == 0 {
				w.Appeared.Store(true)
			}
			b = b[min(len(b), unix.SizeofInotifyEvent+int(binary.NativeEndian.Uint32(b[12:]))):]
		}
		select {
		case w.Woke <- struct{}{}:
		default: // it is awake
		}
	}
}

// watch adds a folder; one that is there already costs next to nothing.
func (w *waker) watch(dir string) {
	if w.f != nil {
		_, _ = unix.InotifyAddWatch(w.fd, dir, unix.IN_MODIFY|unix.IN_CREATE|unix.IN_MOVED_TO) // without it one looks now and then
	}
}
