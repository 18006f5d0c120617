package files

import (
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
)

// Dir is the directory within the tree that holds what branches have staged, and
// the log of what became of them. No branch gets there.
const Dir = ".dtc"

// Limits of paths, in bytes.
const (
	// maxName is what each name in a path has at most.
	maxName = 255
	// maxPath is what a whole path has at most.
	maxPath = 4000
)

const (
	staging = Dir + "/stage" // has a directory for each branch
	logPath = Dir + "/log"
)

// checkPath refuses what is no path to a file under the tree's directory.
func checkPath(name string) error {
	reason := ""
	switch {
	case name == ".":
		reason = "it is the tree's own directory"
	case !fs.ValidPath(name):
		reason = `it must be relative, slash-separated UTF-8 without ".", ".." and empty names`
	case len(name) > maxPath:
		reason = fmt.Sprintf("it has %d bytes, the limit is %d", len(name), maxPath)
	default:
		if _, err := filepath.Localize(name); err != nil {
			reason = "it cannot be a file's name on this system"
		}
	}
	for part := range strings.SplitSeq(name, "/") {
		switch {
		case reason != "":
		case len(part) > maxName:
			reason = fmt.Sprintf("a name in it has %d bytes, the limit is %d", len(part), maxName)
		case strings.EqualFold(part, Dir): // also of a tree within this one
			reason = "what is in " + Dir + " is a tree's own"
		}
	}
	if reason == "" {
		return nil
	}
	return &PathError{Path: name, Reason: reason}
}

// checkPerm refuses a mode that is more than permissions.
func checkPerm(name string, perm fs.FileMode) error {
	if perm != perm.Perm() {
		return &PathError{Path: name, Reason: fmt.Sprintf("mode %v has more than permission bits", perm)}
	}
	return nil
}

// checkTarget refuses a symbolic link that would lead out of the tree.
func checkTarget(target, name string) error {
	switch to := path.Join(path.Dir(name), target); {
	case target == "" || path.IsAbs(target) || strings.Contains(target, `\`) || len(target) > maxPath:
		return &PathError{Path: name, Reason: fmt.Sprintf("a link's target must be relative, with slashes, and not %.300q", target)}
	case to == ".":
		return nil
	default:
		return checkPath(to)
	}
}
