package mysql

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
)

// InDoubt implements participant.Recoverer: the branches of this participant in this
// database that XA RECOVER lists, also those that another process has prepared and
// holds. Unprepared work does not survive its connection.
func (p *Participant) InDoubt(ctx context.Context, coordinator string) ([]uuid.UUID, error) {
	if err := checkName("coordinator's name", coordinator); err != nil {
		return nil, err
	}
	d, err := p.learn(ctx)
	if err != nil {
		return nil, err
	}
	s, err := p.connect(ctx)
	if err != nil {
		return nil, err
	}
	all, err := s.prepared(ctx)
	if err != nil {
		s.discard()
		return nil, err
	}
	s.keep()
	var ids []uuid.UUID
	for _, x := range all {
		if !x.of(coordinator, p.name, d.database) {
			continue
		}
		if id, err := x.transaction(); err == nil {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// find looks for the branch among the prepared ones.
func (s *session) find(ctx context.Context, d *dialect, k participant.Key) (xid, bool, error) {
	all, err := s.prepared(ctx)
	for _, x := range all {
		if x.of(k.Coordinator, k.Participant, d.database) && x.gtrid[:36] == k.Transaction.String() {
			return x, true, nil
		}
	}
	return xid{}, false, err
}

// prepared lists the XA branches of this package.
func (s *session) prepared(ctx context.Context) ([]xid, error) {
	var all []xid
	err := s.rows(ctx, "XA RECOVER", func(scan func(...any) error) error {
		var format, gtrid, bqual int
		var data string
		if err := scan(&format, &gtrid, &bqual, &data); err != nil {
			return err
		}
		if format == formatID {
			if gtrid < 0 || bqual < 0 || gtrid+bqual != len(data) {
				return fmt.Errorf("mysql: XA RECOVER lists an id of %d bytes as one of %d and %d", len(data), gtrid, bqual)
			}
			all = append(all, xid{data[:gtrid], data[gtrid:]})
		}
		return nil
	})
	switch number(err) {
	case errXARecover, errDenied:
		return nil, &PrivilegeError{Privilege: "XA_RECOVER_ADMIN", On: "*.*", For: "list prepared branches", Err: err}
	}
	if err != nil {
		return nil, explained("list prepared branches", err)
	}
	return all, nil
}
