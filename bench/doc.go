// Package bench measures a coordinator against the least that its work could
// cost, in the same run:
//
//   - in memory, against the same conversation written with bare goroutines and
//     channels (floor_channels_test.go);
//   - on disk, against a bare loop that appends and syncs, with group commit
//     (floor_disk_test.go).
//
// What can be counted (forced writes, actors, memory, disk space) is checked by
// ordinary tests; what can only be timed is reported by benchmarks and never
// asserted. README.md has the figures and how to get them again.
package bench
