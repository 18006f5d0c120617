package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

const inDoubtSQL = `SELECT gid FROM pg_prepared_xacts WHERE database = current_database() AND starts_with(gid, $1)`

// InDoubt implements participant.Recoverer: it lists the branches that are
// prepared at the server for this participant and the coordinator, and the ones
// that are open in this process where Options.Coordinator names it.
func (p *Participant) InDoubt(ctx context.Context, coordinator string) (ids []uuid.UUID, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if ids, err = p.openFor(coordinator); err != nil {
		return nil, err
	}
	stem := gidStem(p.name, coordinator)
	var gids []string
	err = p.retry(ctx, func() error {
		rows, err := p.settler.Query(ctx, inDoubtSQL, stem)
		if err == nil {
			gids, err = pgx.CollectRows(rows, pgx.RowTo[string])
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("postgres: list the branches in doubt: %w", err)
	}
	for _, gid := range gids {
		if id, ok := ofGid(gid, stem); ok {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// openFor lists the open branches that are known to be the coordinator's.
func (p *Participant) openFor(coordinator string) (ids []uuid.UUID, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	if coordinator != "" && coordinator == p.options.Coordinator {
		for id := range p.branches {
			ids = append(ids, id)
		}
	}
	return ids, nil
}
