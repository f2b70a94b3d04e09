package cli

import (
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// writeYAML writes t as one YAML document, in the order of its members.
func writeYAML(w io.Writer, t *tree) error {
	e := yaml.NewEncoder(w)
	e.SetIndent(2)
	if err := e.Encode(t.yaml()); err != nil {
		return err
	}
	return e.Close()
}

func (t *tree) yaml() *yaml.Node {
	switch t.kind {
	case 'o':
		n := &yaml.Node{Kind: yaml.MappingNode}
		for i, key := range t.keys {
			n.Content = append(n.Content, text(key), t.items[i].yaml())
		}
		return n
	case 'a':
		n := &yaml.Node{Kind: yaml.SequenceNode}
		for _, item := range t.items {
			n.Content = append(n.Content, item.yaml())
		}
		return n
	case 'n':
		if strings.ContainsAny(t.text, ".eE") {
			return scalar("!!float", t.text)
		}
		return scalar("!!int", t.text)
	case 'b':
		return scalar("!!bool", t.text)
	case '0':
		return scalar("!!null", "null")
	}
	return text(t.text)
}

func scalar(tag, value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: value}
}

// text goes through the library's own encoder, which quotes what an old reader
// (YAML 1.1) takes for a truth or a number: yes, 1:30, 0o7.
func text(s string) *yaml.Node {
	n := &yaml.Node{}
	if n.Encode(s) != nil {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s, Style: yaml.DoubleQuotedStyle}
	}
	return n
}
