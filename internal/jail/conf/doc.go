// Package conf reads files in the language of fail2ban's configuration: sections
// and options as Python's configparser reads them, [INCLUDES], files that go over
// others, %(option)s, %(section/option)s and %(known/option)s, and <tags>.
//
// It knows nothing of jails and filters, touches nothing but the file system it is
// given, and ends on every input: includes that go round are read once, values that
// ask for themselves are refused.
//
// Sources: Python 3.11, library reference, "configparser"; jail.conf(5) of fail2ban
// 1.0.2.
package conf
