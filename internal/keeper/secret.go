package keeper

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"hostward/internal/file"
)

// credential is the name under which systemd hands over the secret key
// (LoadCredential= or LoadCredentialEncrypted=, systemd.exec(5)); the one
// before it, while the key is being replaced, has a name of its own.
const (
	credential    = "hostward-secret"
	oldCredential = "hostward-secret-old"
)

// secrets are the secret key, and the one before it while that is being replaced.
type secrets struct {
	now, old   []byte
	credential bool // systemd handed it over
}

// loadSecrets returns the server's secret key: systemd's credential where there
// is one, else the file, which is made at first start. A file beside a
// credential must hold the same key, else keys would be wrapped under two.
func loadSecrets(dir, credentials string) (s secrets, err error) {
	path := filepath.Join(dir, "secret.key")
	given, err := readCredential(credentials, credential)
	if err != nil {
		return s, err
	}
	stored, err := readSecret(path)
	switch {
	case err != nil:
		return s, err
	case given != nil && stored != nil && string(given) != string(stored):
		return s, fmt.Errorf("the credential %s and %s hold different keys; remove the one that is not in use", credential, path)
	case given != nil:
		s.old, err = readCredential(credentials, oldCredential)
		s.now, s.credential = given, true
		return s, err
	case stored != nil:
		return rotating(dir, stored)
	}
	if err := refuseSecondSecret(dir); err != nil {
		return s, err
	}
	s.now, err = createSecret(path)
	return s, err
}

// rotating finds a rotation that a crash cut off.
func rotating(dir string, stored []byte) (secrets, error) {
	next, err := readSecret(filepath.Join(dir, nextSecret))
	if err != nil || next == nil {
		return secrets{now: stored}, err
	}
	return secrets{now: next, old: stored}, nil
}

func readCredential(dir, name string) ([]byte, error) {
	if dir == "" {
		return nil, nil
	}
	return checkSize(os.ReadFile(filepath.Join(dir, name)))
}

func readSecret(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s has mode %04o and others may read it; it must be 0600", path, info.Mode().Perm())
	}
	return checkSize(os.ReadFile(path))
}

func checkSize(key []byte, err error) ([]byte, error) {
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && len(key) != keySize {
		return nil, fmt.Errorf("the secret key has %d bytes; it must have %d", len(key), keySize)
	}
	return key, err
}

// refuseSecondSecret stops a start without the secret key on a data folder
// that has values sealed under it: a new key would not open them.
func refuseSecondSecret(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, "checkpoint.key")); err == nil {
		return fmt.Errorf("the secret key is missing but %s holds keys sealed under it; "+
			"bring secret.key back, or the credential %s", dir, credential)
	}
	return nil
}

func createSecret(path string) ([]byte, error) {
	key := make([]byte, keySize)
	_, _ = rand.Read(key) // never fails: crypto/rand ends the program instead
	return key, file.Replace(path, key, 0o600)
}
