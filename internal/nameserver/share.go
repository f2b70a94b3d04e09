package nameserver

import "sync"

// shares hands out places, so that nobody has them all. The zero value is ready.
type shares struct {
	mu    sync.Mutex
	taken int
	each  map[string]int
}

// take takes a place, unless all are taken or somebody has his share of them.
func (s *shares) take(who string, all, share int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken >= all || s.each[who] >= share {
		return false
	}
	if s.each == nil {
		s.each = map[string]int{}
	}
	s.taken++
	s.each[who]++
	return true
}

func (s *shares) giveBack(who string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken--
	if s.each[who]--; s.each[who] == 0 {
		delete(s.each, who)
	}
}
