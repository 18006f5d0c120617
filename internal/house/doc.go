// Package house holds the rules of the house, as tests: which package may import
// which, what every file must look like, and what the linters say. There is no
// code in it to import.
package house
