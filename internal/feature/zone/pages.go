package zone

import "hostward/internal/act"

func (z *Zones) pageList() []act.Page { return nil }
