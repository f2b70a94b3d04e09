package ini

import "strings"

func isNewline(c rune) bool { return c == '\n' || c == '\r' }

// isKeyByte says what a key is made of: PHP's LABEL, without tab and "]".
func isKeyByte(c rune) bool {
	return c > 0x1F && c != 0x7F && !strings.ContainsRune("=;&|^$~(){}!\"'[]", c)
}

// isReserved reports PHP's words for switches, in any case of letters.
func isReserved(w string) bool {
	switch strings.ToLower(w) {
	case "null", "yes", "no", "true", "false", "on", "off", "none":
		return true
	}
	return false
}

// isConstant reports a word that looks like one of PHP's constants, such as
// E_ALL or PHP_VERSION: capitals and digits with an underline between. Which
// of them exist depends on the PHP that reads the file.
func isConstant(w string) bool {
	if !strings.Contains(strings.Trim(w, "_"), "_") {
		return false
	}
	for i, c := range []byte(w) {
		capital := c >= 'A' && c <= 'Z' || c == '_'
		if !capital && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// special says what is accepted instead of a character that PHP reads as an
// operator or as the beginning of something else; "" for a plain one.
func special(c rune, rest []byte) string {
	switch {
	case c == '$' && len(rest) > 1 && rest[1] == '{':
		return `no ${…}: write the value itself, or put a text with "${" into single quotes`
	case strings.ContainsRune("&|^~()!", c):
		return "no expressions: put the whole text into double quotes"
	case c == '=':
		return `one "=" a line: put a text with "=" into double quotes`
	case c == '"' || c == '\'':
		return "quotes stand around the whole value: put the whole text into double quotes"
	case c == 0:
		return "text without NUL bytes"
	}
	return ""
}
