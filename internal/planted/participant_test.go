package planted

// idempotent is the tests of the wrapper, and of what is built with it.
var idempotent = check{name: "participants", pkg: "./participant", run: ""}

const tracked, tracker = "participant/idempotent.go", "participant/tracker.go"

// repeating are bugs of a participant that is called again and again.
var repeating = []bug{
	{"a duplicate commit has its effect twice", []edit{{tracked, `		case Committed, ReadOnly:
			return nil
		case Forgotten: // prepared`, `		case ReadOnly:
			return nil
		case Forgotten: // prepared`}}, idempotent},
	{"a one-phase commit has its effect twice", []edit{{tracked, `func (o *onePhase) Commit(ctx context.Context, b Branch) error {
	return o.track(ctx, b, func(s State) error {
		switch s {
		case Committed:
			return nil
`, `func (o *onePhase) Commit(ctx context.Context, b Branch) error {
	return o.track(ctx, b, func(s State) error {
		switch s {
`}}, idempotent},
	{"it votes before that is recorded", []edit{{tracker,
		"	return t.record(ctx, b.Key(), to)\n}", "	go t.record(ctx, b.Key(), to)\n	return nil\n}"}}, idempotent},
	{"it acknowledges before the effect", []edit{{tracker, `	if err := t.call(ctx, b, call); err != nil {
		return t.answer(ctx, b, from, err)
	}
	return t.record`, `	if to == Committed {
		go t.call(ctx, b, call)
	} else if err := t.call(ctx, b, call); err != nil {
		return t.answer(ctx, b, from, err)
	}
	return t.record`}}, idempotent},
	{"what was prepared is given up when a call fails", []edit{{tracker, `	case from == Prepared || from == Committed:
		return err
	case errors.Is(err, ErrReadOnly):`, `	case errors.Is(err, ErrReadOnly):`}}, idempotent},
	{"a rollback of what is unknown leaves no mark", []edit{{tracker,
		"		return t.store.Save(ctx, b.Key(), RolledBack)\n	}\n	return t.perform", "		return nil\n	}\n	return t.perform"}}, idempotent},
	{"what was rolled back is prepared again", []edit{{tracked, `		case ReadOnly:
			return ErrReadOnly
		case RolledBack:
			return ErrRolledBack
		case Forgotten:`, `		case ReadOnly:
			return ErrReadOnly
		case Forgotten:`}}, idempotent},
	{"what was committed is prepared again", []edit{{tracked, `		case Prepared, Committed:
			return nil
		case ReadOnly:`, `		case Prepared:
			return nil
		case ReadOnly:`}}, idempotent},
	{"what is committed is rolled back", []edit{{tracked, `		case Committed:
			return ErrCommitted
		case Forgotten: // not prepared`, `		case Forgotten: // not prepared`}}, idempotent},
	{"that a call was begun is not recorded", []edit{{tracker,
		"	if from == Unknown {\n		if err", "	if false {\n		if err"}}, idempotent},
	{"two calls of a branch run at a time", []edit{{tracker, `	if err := t.turns.Take(ctx, b.Key()); err != nil {
		return err
	}
	defer t.turns.End(b.Key())
`, ``}}, idempotent},
	{"an effect is repeated after the record of it failed", []edit{{tracker, `	if err != nil {
		t.unsaved[k] = s
		return err
	}
`, `	if err != nil {
		return err
	}
`}}, idempotent},
}

// keeping are bugs of what is kept on disk.
var keeping = []bug{
	{"the journal does not sync", []edit{{"journal/pebble/append.go",
		"options = pebble.Sync\n", "options = pebble.NoSync\n"}}, check{name: "power losses", pkg: "./journal/pebble", run: "^TestCrash|^TestPower"}},
	{"a forced batch with nothing in it is not forced", []edit{{"journal/pebble/append.go",
		"if batch.Empty() {", "if false {"}}, check{name: "journal suite", pkg: "./journal/pebble", run: ""}},
	{"an end leaves the record", []edit{{"journal/pebble/append.go", `		appendRecordKey(batch.DeleteDeferred(recordKeySize).Key[:0], w.End.Transaction)
`, ``}}, check{name: "journal suite", pkg: "./journal/pebble", run: "^TestConformance"}},
	{"expiry drops one outcome too many", []edit{{"journal/pebble/append.go",
		"limit := instantOf(*w.Expire) + 1", "limit := instantOf(*w.Expire) + 2"}}, check{name: "journal suite", pkg: "./journal/pebble", run: "^TestConformance"}},
	{"the file store does not sync", []edit{{"participant/internal/wal/wal.go", "return l.file.Sync()", "return nil"}}, check{name: "power losses", pkg: "./participant/internal/wal", run: ""}},
}
