// Package pebble keeps a coordinator's journal on disk, in a Pebble store of
// its own.
//
// A batch is one write to Pebble's write-ahead log; where it is to be forced,
// one sync. What was forced survives the process and the machine. What was
// not forced, may: then everything before it does too, and every batch is
// there as a whole or not at all.
//
// # Failure
//
// A journal whose device fails stops: the first write, sync or background job
// that fails ends it. The Append that waits gets that error, later ones
// [journal.ErrFailed], without anything being written. The process lives on,
// and may close the journal and open it again: the directory is then free, and
// nothing of the failed journal touches it any more. What the failed journal
// holds in memory, a few goroutines among it, stays until the process ends:
// Pebble cannot be taken down safely after such an error. (In a testing/synctest
// bubble, a journal may therefore be opened and closed, but must not fail.)
//
// A journal that is damaged is not opened, or not read. A torn end of the log is
// no damage: it is what a power loss in the middle of a write leaves. Damage in
// the last 64 KiB of the newest log cannot be told from one, and a log that
// was removed is not missed.
//
// # Layout
//
// All integers are big-endian. A time is a signed number of microseconds since
// 1970. "..." is the rest of the value. Nothing may follow what is drawn. The
// three kinds of value begin with their version, which is 1.
//
// The header has the key "h":
//
//	+---------+--------------+------------------+
//	| version | horizon (16) | coordinator ...  |
//	+---------+--------------+------------------+
//
// An unfinished transaction has the key "r", transaction id:
//
//	+---+---------+
//	| r | id (16) |
//	+---+---------+
//
//	+---------+----------+-----------+------------------+-----------+
//	| version | kind (1) | began (8) | label length (4) | label ... |
//	+---------+----------+-----------+------------------+-----------+
//	| heuristic length (4) | heuristic ... | branches (4) |
//	+----------------------+---------------+--------------+
//
// followed by that number of branches. Of the flags, bit 0 stands for
// TwoPhase and bit 1 for Pending; the others are zero:
//
//	+-----------+-----------------+----------+--------------------+-------------+
//	| flags (1) | name length (4) | name ... | payload length (4) | payload ... |
//	+-----------+-----------------+----------+--------------------+-------------+
//
// A finished transaction has the key "o", finish time with its sign bit
// inverted, transaction id; so they lie in the order in which they finished:
//
//	+---+--------------+---------+
//	| o | finished (8) | id (16) |
//	+---+--------------+---------+
//
//	+---------+-------------+----------------------+---------------+-------------+
//	| version | outcome (1) | heuristic length (4) | heuristic ... | members (4) |
//	+---------+-------------+----------------------+---------------+-------------+
//
// followed by that number of members:
//
//	+-----------------+----------+
//	| name length (4) | name ... |
//	+-----------------+----------+
//
// Beside Pebble's files, the directory holds an empty file, the journal's
// marker. Its name gives the version of this layout, and how far which of
// Pebble's manifests is known to be on stable storage:
//
//	marker.dtc-journal.000007.1-4711-MANIFEST-000012
//
// Pebble takes a damaged manifest for a torn one, and would then forget the
// tables it names; the marker tells one from the other.
package pebble
