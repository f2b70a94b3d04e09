package handler

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"hostward/internal/handlers/apache"
	"hostward/internal/host"
)

// hostile are the eyes on a machine whose customer has made .htaccess of a size and
// number that root should not read every half minute. Each takes a second.
type hostile struct {
	host.Eyes
	files map[string]string
	now   time.Time
	read  int
}

func (h *hostile) Now() time.Time { return h.now }

func (h *hostile) ReadFile(path string) ([]byte, bool, error) {
	text, ok := h.files[path]
	if strings.HasPrefix(path, "/var/www") && ok {
		h.read++
		h.now = h.now.Add(time.Second)
	}
	return []byte(text), ok, nil
}

func (h *hostile) Glob(string) ([]string, error) { return nil, nil }

func (h *hostile) Find(string, []string, int) (list []string, whole bool, err error) {
	for path := range h.files {
		if strings.HasPrefix(path, "/var/www") {
			list = append(list, path)
		}
	}
	return list, true, nil
}

func TestACustomersFilesTakeNoMoreThanTheirTime(t *testing.T) {
	h := &hostile{files: map[string]string{mainFile: "DocumentRoot /var/www/html\n<Directory /var/www/>\nAllowOverride All\n</Directory>\n",
		"/var/www/html/a/.htaccess": strings.Repeat("SetHandler a\n", mostSite/10), "/var/www/html/b/.htaccess": strings.Repeat("SetHandler b\n", 3*mostUses)}}
	for i := range 1000 {
		h.files[fmt.Sprintf("/var/www/html/c%d/.htaccess", i)] = "SetHandler c\n"
	}
	c, err := apache.Parse(h, apache.Source{Root: serverRoot, Main: mainFile, DropIn: dropIn}, true)
	if err != nil {
		t.Fatal(err)
	}
	o := Observed{before: c}
	if err := o.search(h); err != nil {
		t.Fatal(err)
	}
	if h.read > 20 || len(o.Uses) != mostUses || o.More < 2*mostUses {
		t.Errorf("%d files were read, %d uses are told and %d not", h.read, len(o.Uses), o.More)
	}
	if all := strings.Join(o.Unseen, "\n"); !strings.Contains(all, "/var/www/html/a/.htaccess: it has more") || !strings.Contains(all, "files after it") {
		t.Errorf("unseen: %s", all)
	}
}

// apache2ctl has root's shell run it.
func TestEnvvarsAreNotOurs(t *testing.T) {
	if owns().Allows(host.WriteFile{Path: serverRoot + "/envvars", Mode: 0o644}) == nil {
		t.Error("the control may write what a shell of root runs")
	}
	if err := owns().Allows(host.WriteFile{Path: mainFile, Mode: 0o644}); err != nil {
		t.Error(err)
	}
}
