package sign

// Abandon ends every duty at once, whatever caches hold: the way out for a zone
// whose keys are of no use any more. A zone whose DS stands in the parent is
// bogus from then on, until the DS is gone there and from caches; Policy.Signed
// leads a zone out safely.
func (s State) Abandon() State {
	s = s.clone()
	before := s.clone()
	for i := range s.Keys {
		s.Keys[i].Duty = Duty{}
	}
	s.RemoveDS = false
	if !s.sameDuties(before) {
		s.emit(Policy{}, before.asked())
	}
	return s
}
