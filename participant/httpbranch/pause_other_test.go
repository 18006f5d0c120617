//go:build !unix

package httpbranch_test

func pauseSelf() {}
