package token

import "hostward/internal/act"

func pages() []act.Page { return nil }
