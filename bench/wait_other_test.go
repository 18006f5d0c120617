//go:build !linux

package bench

import "time"

// wait adds latency to a sync.
func wait(latency time.Duration) {
	if latency > 0 {
		<-time.After(latency)
	}
}
