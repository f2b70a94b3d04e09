package house

import "hostward/internal/store"

// Migrations are the tables of everything, for tests that write past the door.
func Migrations() []store.Migration { return newFeatures(&House{}).migrations() }
