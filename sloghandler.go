package dtc

import (
	"context"
	stdslog "log/slog"

	"golang.org/x/exp/slog"
)

// SlogHandler lets a handler of the standard library's log/slog serve a logger of
// golang.org/x/exp/slog, which Config.Logger is:
//
//	config.Logger = slog.New(dtc.SlogHandler(logger.Handler()))
func SlogHandler(h stdslog.Handler) slog.Handler { return bridge{h} }

type bridge struct{ to stdslog.Handler }

// Enabled implements slog.Handler.
func (b bridge) Enabled(ctx context.Context, l slog.Level) bool {
	return b.to.Enabled(ctx, stdslog.Level(l))
}

// Handle implements slog.Handler.
func (b bridge) Handle(ctx context.Context, r slog.Record) error {
	out := stdslog.NewRecord(r.Time, stdslog.Level(r.Level), r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		out.AddAttrs(attr(a))
		return true
	})
	return b.to.Handle(ctx, out)
}

// WithAttrs implements slog.Handler.
func (b bridge) WithAttrs(as []slog.Attr) slog.Handler { return bridge{b.to.WithAttrs(attrs(as))} }

// WithGroup implements slog.Handler.
func (b bridge) WithGroup(name string) slog.Handler { return bridge{b.to.WithGroup(name)} }

func attrs(as []slog.Attr) []stdslog.Attr {
	out := make([]stdslog.Attr, len(as))
	for i, a := range as {
		out[i] = attr(a)
	}
	return out
}

func attr(a slog.Attr) stdslog.Attr { return stdslog.Attr{Key: a.Key, Value: value(a.Value)} }

func value(v slog.Value) stdslog.Value {
	switch v.Kind() {
	case slog.KindString:
		return stdslog.StringValue(v.String())
	case slog.KindInt64:
		return stdslog.Int64Value(v.Int64())
	case slog.KindUint64:
		return stdslog.Uint64Value(v.Uint64())
	case slog.KindFloat64:
		return stdslog.Float64Value(v.Float64())
	case slog.KindBool:
		return stdslog.BoolValue(v.Bool())
	case slog.KindDuration:
		return stdslog.DurationValue(v.Duration())
	case slog.KindTime:
		return stdslog.TimeValue(v.Time())
	case slog.KindGroup:
		return stdslog.GroupValue(attrs(v.Group())...)
	case slog.KindLogValuer:
		return stdslog.AnyValue(valuer{v.LogValuer()})
	default:
		return stdslog.AnyValue(v.Any())
	}
}

// valuer resolves a value only when it is logged.
type valuer struct{ of slog.LogValuer }

// LogValue implements log/slog's LogValuer.
func (v valuer) LogValue() stdslog.Value { return value(v.of.LogValue()) }
