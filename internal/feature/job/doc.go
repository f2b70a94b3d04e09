// Package job keeps long work on record: who started it, how far it is, how it
// ended (SPEC Q1: long work shows progress). It fills the bus's port for jobs;
// the work itself belongs to the feature that declares it.
//
// A job that a stop or a crash cut off is marked at the next start. It never
// starts one again by itself: what was half done may need a person.
package job
