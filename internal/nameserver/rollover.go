package nameserver

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"time"

	"hostward/internal/file"
)

// secretLife is how long a secret that the server drew makes cookies (RFC 7873
// 7.1: 26 hours, at most 36 days).
const secretLife = 26 * time.Hour

const secretFile = "cookie.secrets"

// ownSecrets are secrets that the server drew, as they are kept beside its
// image: cookies stay good over a restart.
type ownSecrets struct {
	Made    time.Time `json:"made"` // the first
	Secrets secrets   `json:"secrets"`
}

// keepSecrets brings back the secrets of an earlier run, or draws one, and has
// them replaced in time. The one before is believed for as long again.
func (s *Server) keepSecrets() error {
	var own ownSecrets
	if b, err := os.ReadFile(filepath.Join(s.cfg.Folder, secretFile)); s.cfg.Folder != "" && err == nil {
		if json.Unmarshal(b, &own) != nil {
			own = ownSecrets{} // cookies of before are given anew
		}
	}
	age := time.Since(own.Made)
	if len(own.Secrets) == 0 || age < 0 || age >= secretLife {
		return s.rollSecrets(own)
	}
	s.setSecrets(own.Secrets...)
	s.rollLater(own, secretLife-age)
	return nil
}

func (s *Server) rollSecrets(own ownSecrets) error {
	own = ownSecrets{Made: time.Now(), Secrets: append(secrets{newSecret()}, own.Secrets[:min(1, len(own.Secrets))]...)}
	s.setSecrets(own.Secrets...)
	s.rollLater(own, secretLife)
	b, err := json.Marshal(own)
	if err != nil || s.cfg.Folder == "" {
		return err
	}
	return errors.Join(file.Folder(s.cfg.Folder), file.Replace(filepath.Join(s.cfg.Folder, secretFile), b, 0o600))
}

func (s *Server) rollLater(own ownSecrets, in time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.rolls = time.AfterFunc(in, func() { _ = s.rollSecrets(own) }) // unwritten: only a restart draws another
	}
}
