//go:build !race

package bench

// raceDetector tells whether memory is taken for the race detector, too.
const raceDetector = false
