package bench

import (
	"syscall"
	"time"
)

// wait adds latency to a sync, as a slower disk would: the thread stays in a
// system call. A timer of the runtime's would come up to a millisecond late,
// depending on what else the process does.
//
// The latency comes before the sync, so that the sync itself returns when a
// slower disk's would: at the end. The other way round, the kernel's part of the
// sync competes with the work that follows the sync before it, and what is
// measured is the scheduler.
func wait(latency time.Duration) {
	left := syscall.NsecToTimespec(int64(latency))
	for latency > 0 && syscall.Nanosleep(&left, &left) == syscall.EINTR {
	}
}
