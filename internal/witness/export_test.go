package witness

// OnPersisted has f run between keeping a checkpoint and answering.
func (s *Server) OnPersisted(f func()) { s.persisted = f }
