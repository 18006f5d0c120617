//go:build !race

package remote_test

// fewer is how many times fewer messages a burst has.
const fewer = 1
