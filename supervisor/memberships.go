package supervisor

import "encoding/binary"

// memberships is the different sets of members that transactions have, by number.
// An application has few of them, and a transaction that is kept only the number
// of its own. Number 0 is the set without members, which most transactions have
// whose participants cannot list their branches.
type memberships struct {
	sets    [][]string // from number 1 on
	numbers map[string]uint32
	key     []byte // room for the next one
}

// number returns the number of a set.
func (m *memberships) number(members []string) uint32 {
	if len(members) == 0 {
		return 0
	}
	m.key = m.key[:0]
	for _, name := range members {
		m.key = binary.AppendUvarint(m.key, uint64(len(name)))
		m.key = append(m.key, name...)
	}
	n, ok := m.numbers[string(m.key)]
	if !ok {
		if m.numbers == nil {
			m.numbers = make(map[string]uint32)
		}
		m.sets = append(m.sets, members)
		n = uint32(len(m.sets))
		m.numbers[string(m.key)] = n
	}
	return n
}

// set returns the set with that number. Nobody changes it.
func (m *memberships) set(number uint32) []string {
	if number == 0 {
		return nil
	}
	return m.sets[number-1]
}
