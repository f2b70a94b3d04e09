package witness

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/mod/sumdb/note"

	"hostward/internal/core"
	"hostward/internal/file"
)

// Config is what a witness is made of.
type Config struct {
	// Key is the secret text that GenerateKey made.
	Key string

	// Dir keeps the latest cosigned checkpoint of each log, one file each. One
	// process at a time may have it.
	Dir string

	// Logs are the verifier keys (C2SP signed-note, type 1) of the logs to
	// watch. A key's name is the log's origin; several keys may have one name.
	// A Hostward log has another key name in each epoch: a log that begins a new
	// history is cosigned again only after a person has agreed to it here.
	Logs []string

	// Clock gives the time in cosignatures. Default: core.SystemClock.
	Clock core.Clock

	// Report is told what goes wrong on our side, and of valid signatures under
	// a history that does not fit: proof that a log misbehaves. Default: nobody.
	Report *slog.Logger
}

// Server is a witness. It answers
//
//	POST /add-checkpoint
//	GET /<hex SHA-256 of the origin>/checkpoint
//
// at the root of wherever it is mounted. Whoever mounts it limits the time to
// read a request.
type Server struct {
	key    *Key
	clock  core.Clock
	report *slog.Logger
	logs   map[string]*watched // by origin
	hashes map[string]*watched // by originHash
	lock   io.Closer

	persisted func() // tests crash here
}

// watched is one log. mu is held from the check to the answer: two requests
// that pass the check side by side could else roll the log back.
type watched struct {
	known note.Verifiers
	path  string

	mu     sync.Mutex
	latest checkpoint
	note   []byte // latest with the log's signatures and ours; nil: none yet
}

var _ http.Handler = (*Server)(nil)

// New opens the state folder and checks that all of it is ours. Close gives
// the folder back.
func New(cfg Config) (*Server, error) {
	s, err := newServer(cfg)
	if err != nil {
		return nil, fmt.Errorf("opening the witness: %w", err)
	}
	return s, nil
}

func newServer(cfg Config) (*Server, error) {
	key, err := ParseKey(cfg.Key)
	if err != nil {
		return nil, err
	}
	if len(cfg.Logs) == 0 {
		return nil, errors.New("a witness needs the verifier key of at least one log")
	}
	s := &Server{key: key, clock: cfg.Clock, report: cfg.Report, persisted: func() {},
		logs: map[string]*watched{}, hashes: map[string]*watched{}}
	if s.clock == nil {
		s.clock = core.SystemClock
	}
	if s.report == nil {
		s.report = slog.New(slog.DiscardHandler)
	}
	if err := file.Folder(cfg.Dir); err != nil {
		return nil, err
	}
	if s.lock, err = file.Lock(filepath.Join(cfg.Dir, "lock")); err != nil {
		return nil, err
	}
	if err := s.watch(cfg); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close gives the state folder back. No request may be under way.
func (s *Server) Close() error { return s.lock.Close() }

// Verifier returns the witness's verifier key, for those who ask it.
func (s *Server) Verifier() string { return s.key.Verifier() }

func (s *Server) watch(cfg Config) error {
	keys := map[string][]note.Verifier{}
	for _, text := range cfg.Logs {
		v, err := note.NewVerifier(strings.TrimSpace(text))
		if err != nil {
			return fmt.Errorf("%q is not the verifier key of a log: name+hash+key, of type 1 (C2SP signed-note)", text)
		}
		keys[v.Name()] = append(keys[v.Name()], v)
	}
	for origin, list := range keys {
		w := &watched{known: note.VerifierList(list...), path: filepath.Join(cfg.Dir, originHash(origin))}
		if err := s.load(w, origin); err != nil {
			return fmt.Errorf("%s: %w", w.path, err)
		}
		s.logs[origin], s.hashes[originHash(origin)] = w, w
	}
	return nil
}

// load reads what was cosigned last. It must bear our signature: else it is
// not our memory, and signing on from it could fork the log.
func (s *Server) load(w *watched, origin string) error {
	data, err := os.ReadFile(w.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	v, err := newVerifier(s.key.Verifier())
	if err != nil {
		return err
	}
	opened, err := note.Open(data, note.VerifierList(v))
	if err != nil {
		return fmt.Errorf("the state does not bear the signature of %s; a new key begins with an empty state folder: %w", s.key.name, err)
	}
	if w.latest, err = parseCheckpoint(opened.Text); err != nil {
		return err
	}
	if w.latest.origin != origin {
		return fmt.Errorf("the state is about the log %q", w.latest.origin)
	}
	w.note = data
	return nil
}

// maxBody bounds a request: proof, checkpoint and 100 signatures fit.
const maxBody = 64 << 10

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if r.URL.Path == "/add-checkpoint" {
		s.method(w, r, http.MethodPost, s.addCheckpoint)
		return
	}
	if hash, ok := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/"), "/checkpoint"); ok && s.hashes[hash] != nil {
		s.method(w, r, http.MethodGet, func(w http.ResponseWriter, _ *http.Request) { s.hashes[hash].serve(w) })
		return
	}
	http.Error(w, "not found: POST /add-checkpoint and GET /<origin hash>/checkpoint are", http.StatusNotFound)
}

func (s *Server) method(w http.ResponseWriter, r *http.Request, want string, serve http.HandlerFunc) {
	if r.Method != want && (want != http.MethodGet || r.Method != http.MethodHead) {
		w.Header().Set("Allow", want)
		http.Error(w, "the method is "+want, http.StatusMethodNotAllowed)
		return
	}
	serve(w, r)
}

// serve answers with the latest cosigned checkpoint.
func (l *watched) serve(w http.ResponseWriter) {
	l.mu.Lock()
	latest := l.note
	l.mu.Unlock()
	if latest == nil {
		http.Error(w, "no checkpoint of this log was cosigned yet", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write(latest)
}

// refusal is an answer other than 200.
type refusal struct {
	status int
	text   string
}

func (e *refusal) Error() string { return e.text }

func refuse(status int, format string, args ...any) error {
	return &refusal{status, fmt.Sprintf(format, args...)}
}

func (s *Server) addCheckpoint(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "the request could not be read; it has at most 65536 bytes", http.StatusBadRequest)
		return
	}
	answer, err := s.add(body)
	if no, ok := errors.AsType[*refusal](err); ok {
		if no.status == http.StatusConflict {
			w.Header().Set("Content-Type", sizeType)
			w.WriteHeader(no.status)
			_, _ = io.WriteString(w, no.text)
			return
		}
		http.Error(w, no.text, no.status)
		return
	}
	if err != nil {
		s.report.Error("a checkpoint could not be cosigned", "error", err)
		http.Error(w, "the witness could not keep the checkpoint; try later", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, answer)
}

// sizeType is the content type of a 409 (C2SP tlog-witness).
const sizeType = "text/x.tlog.size"

// add checks a request in the order of the specification.
func (s *Server) add(body []byte) (cosignature string, err error) {
	req, err := parseRequest(body)
	if err != nil {
		return "", refuse(http.StatusBadRequest, "%v", err)
	}
	next, err := parseCheckpoint(noteText(req.note))
	if err != nil {
		return "", refuse(http.StatusBadRequest, "%v", err)
	}
	log := s.logs[next.origin]
	if log == nil {
		return "", refuse(http.StatusNotFound, "the log %s is not watched here", next.origin)
	}
	opened, err := note.Open(req.note, log.known)
	if err != nil {
		return "", unverified(err)
	}
	if req.old > next.size {
		return "", refuse(http.StatusBadRequest, "the old size is larger than the checkpoint's")
	}
	log.mu.Lock()
	defer log.mu.Unlock()
	if req.old != log.latest.size {
		return "", refuse(http.StatusConflict, "%s\n", strconv.FormatInt(log.latest.size, 10))
	}
	if !grows(log.latest, next, req.proof) {
		s.report.Warn("a log signed a checkpoint that does not continue what was cosigned",
			"origin", next.origin, "cosigned", string(log.note), "offered", string(req.note))
		return "", refuse(http.StatusUnprocessableEntity, "the proof does not show that the checkpoint continues the tree of size %d", req.old)
	}
	return s.cosign(log, next, opened)
}

func unverified(err error) error {
	if _, ok := errors.AsType[*note.UnverifiedNoteError](err); ok {
		return refuse(http.StatusForbidden, "no signature is by a key that is trusted for this log")
	}
	if _, ok := errors.AsType[*note.InvalidSignatureError](err); ok {
		return refuse(http.StatusForbidden, "a signature under a trusted key is wrong")
	}
	return refuse(http.StatusBadRequest, "the checkpoint is not a signed note")
}

// cosign makes next the latest checkpoint and signs it. It is on the disk
// before the signature leaves: after a crash in between the log asks again,
// gets 409 with the new size, and has the same tree cosigned again.
func (s *Server) cosign(log *watched, next checkpoint, opened *note.Note) (string, error) {
	line := s.key.cosign(opened.Text, s.clock())
	var b strings.Builder
	b.WriteString(opened.Text + "\n")
	for _, sig := range opened.Sigs {
		b.WriteString(signatureLine(sig))
	}
	b.WriteString(line)
	if err := file.Replace(log.path, []byte(b.String()), 0o600); err != nil {
		return "", err
	}
	log.latest, log.note = next, []byte(b.String())
	s.persisted()
	return line, nil
}
