package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxLine is how many bytes a line of an input file may have.
const maxLine = 1 << 20

// badLine is a line of an input file that is left out, and why.
type badLine struct {
	file   string
	line   int
	reason string
}

func (b badLine) String() string { return fmt.Sprintf("%s:%d: %s", b.file, b.line, b.reason) }

// eachLine calls use with every line of r that holds something: without its line
// end, without a byte order mark, and neither blank nor a comment. What use says
// is wrong with a line, and what makes it no line of text, goes to bad.
func eachLine(file string, r io.Reader, use func(n int, line []byte) error, bad func(badLine)) error {
	in := bufio.NewReaderSize(r, 64<<10)
	for n := 1; ; n++ {
		line, long, err := readLine(in)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if n == 1 {
			line = bytes.TrimPrefix(line, []byte("\ufeff"))
		}
		line = bytes.TrimSpace(line)
		switch {
		case long:
			bad(badLine{file, n, fmt.Sprintf("the line has more than %d bytes", maxLine)})
		case len(line) == 0 || line[0] == '#':
		case !utf8.Valid(line):
			bad(badLine{file, n, "the line is not UTF-8 text"})
		default:
			if err := use(n, line); err != nil {
				bad(badLine{file, n, err.Error()})
			}
		}
		if err != nil {
			return nil
		}
	}
}

// readLine reads up to the next line end. Of a line that is too long it keeps
// nothing.
func readLine(in *bufio.Reader) (line []byte, long bool, err error) {
	for {
		part, err := in.ReadSlice('\n')
		if long = long || len(line)+len(part) > maxLine; long {
			line = nil
		} else {
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, long, err
		}
	}
}

// maxName is how many bytes the name of an order, a customer or an item may have.
const maxName = 64

// checkName says what is wrong with a name.
func checkName(what, name string) error {
	switch {
	case name == "":
		return fmt.Errorf("no %s", what)
	case len(name) > maxName:
		return fmt.Errorf("%s %.20q… has %d bytes, the limit is %d", what, name, len(name), maxName)
	case strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("%s %q has a control character", what, name)
	}
	return nil
}
