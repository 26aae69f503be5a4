package parser

// learnJSON reads an access line that is a JSON object, by the names of its keys.
func (l *accessLine) learnJSON(s []byte) bool {
	s, ok := jsonObject(s)
	if !ok {
		return false
	}
	for {
		var name, value []byte
		if name, value, s, ok = jsonPair(s); !ok {
			return true
		}
		if value != nil {
			l.learn(name, value)
		}
	}
}
