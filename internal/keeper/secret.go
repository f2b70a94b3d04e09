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
// (LoadCredential= or LoadCredentialEncrypted=, systemd.exec(5)).
const credential = "hostward-secret"

// loadSecret returns the server's secret key: systemd's credential where there
// is one, else the file, which is made at first start. A file beside a
// credential must hold the same key, else values would be sealed under two.
func loadSecret(dir, credentials string) ([]byte, error) {
	path := filepath.Join(dir, "secret.key")
	given, err := readCredential(credentials)
	if err != nil {
		return nil, err
	}
	stored, err := readSecret(path)
	switch {
	case err != nil:
		return nil, err
	case given != nil && stored != nil && string(given) != string(stored):
		return nil, fmt.Errorf("the credential %s and %s hold different keys; remove the one that is not in use", credential, path)
	case given != nil:
		return given, nil
	case stored != nil:
		return stored, nil
	}
	if err := refuseSecondSecret(dir); err != nil {
		return nil, err
	}
	return createSecret(path)
}

func readCredential(dir string) ([]byte, error) {
	if dir == "" {
		return nil, nil
	}
	return checkSize(os.ReadFile(filepath.Join(dir, credential)))
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
