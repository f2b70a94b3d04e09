package zone

// Unpacked gives the labels of an archive's entries.
func Unpacked(data []byte, take func(name string)) {
	_ = unpack(data, func(p packed) error {
		take(label(p.name))
		return nil
	})
}
