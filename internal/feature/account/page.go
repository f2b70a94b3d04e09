package account

import "hostward/internal/act"

func pages() []act.Page { return nil }
