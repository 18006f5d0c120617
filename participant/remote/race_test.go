//go:build race

package remote_test

// fewer is how many times fewer messages a burst has, as each takes longer.
const fewer = 10
