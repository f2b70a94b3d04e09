// Package rest shows the registry's operations over HTTP under /api/v1. It
// knows no feature: routes, schemas and documentation are drawn from what the
// operations declare.
//
// # Routes
//
// Every operation has its canonical route, the name with slashes for dots:
// zone.record.add is POST /api/v1/zone/record/add. Changes are POST. Queries
// and streams are GET with their fields as query parameters (lists repeat the
// key), or POST where a field is a secret, a file or a list of objects, which
// do not belong into a URL.
//
// Most also have a resource route. Its path is the nouns in the plural, each
// followed by the place of one object: the first required positional fields of
// the input, in their order.
//
//	verb             method  path, for noun zone       for noun zone.record
//	list             GET     /zones                    /zones/{zone}/records
//	create, add      POST    /zones                    /zones/{zone}/records
//	show             GET     /zones/{zone}             /zones/{zone}/records/{name}
//	update           PATCH   /zones/{zone}             /zones/{zone}/records/{name}
//	delete, remove   DELETE  /zones/{zone}             /zones/{zone}/records/{name}
//	another query    GET     /zones/{zone}/verb        /zones/{zone}/records/{name}/verb
//	another change   POST    /zones/{zone}/verb        /zones/{zone}/records/{name}/verb
//	... without {}   POST    /zones/verb               /zones/{zone}/records/verb
//
// An operation whose input has too few positional fields for its row, or whose
// verb does not suit its method, has the canonical route only. So has a query
// in the last row: its verb could be the name of an object. Two operations
// that claim one route, and a field called like a parameter of the call, are
// faults that New returns.
//
// # Answers
//
// Every success is 200 with one envelope, an Answer: output, state word, id
// and index of the record, version and name of the target, and what changed.
// The version is also the ETag, state and record also the headers
// Hostward-State and Hostward-Record. Every refusal is an RFC 9457 problem,
// with the record's id where one was written.
//
// A stream is application/jsonl, one item a line, or what Accept asks for:
// text/event-stream, or text/plain, where an item that is text is a line as it
// is. It ends with {"problem":...} (event "problem") when it breaks after its
// beginning.
package rest
