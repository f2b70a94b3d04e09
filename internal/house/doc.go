// Package house is the list of features and the place where they are joined:
// what one needs of another is a port it declares, filled here. The tests of
// the whole house live here too: who may import whom, and what every operation
// must do (conformance).
package house
