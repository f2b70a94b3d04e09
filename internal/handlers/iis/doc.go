// Package iis reads and changes the configuration of IIS so that a site's web.config
// cannot say what handles a file. It is pure: bytes in, bytes out, and every byte
// that is not to be changed stays: quotes, blanks, comments, ends of lines, the byte
// order mark. It never touches a server, and has not been tested on one.
//
// A section is locked by overrideModeDefault="Deny" where it is declared. The
// applicationHost.config that comes with IIS opens it again in a <location path=""
// overrideMode="Allow"> that handlers share with modules: there handlers are moved
// into a location of their own, as "appcmd lock config" does.
//
// A document type is refused: it could name files and servers to be read (XXE).
//
// SPEC C4; annex point 2690:6.3.
package iis
