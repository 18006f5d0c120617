package house_test

import (
	"fmt"
	"go/ast"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// documented: every exported name says what it is.
func documented(s *source, report reporter) {
	if !s.library() || s.generated() {
		return
	}
	for _, decl := range s.syntax.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			documentedFunc(decl, report)
		case *ast.GenDecl:
			for _, spec := range decl.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					documentedType(decl, spec, report)
				case *ast.ValueSpec:
					documentedValue(decl, spec, report)
				}
			}
		}
	}
}

// wellKnown methods say nothing that their interface does not say: fmt.Stringer,
// error, and what package errors looks for.
var wellKnown = []string{"String", "Error", "Is", "Unwrap"}

func documentedFunc(f *ast.FuncDecl, report reporter) {
	if !f.Name.IsExported() {
		return
	}
	if f.Recv != nil && (!ast.IsExported(receiver(f)) || slices.Contains(wellKnown, f.Name.Name)) {
		return
	}
	documentedName(f, f.Name.Name, f.Doc, report)
}

// receiver is the name of the method's type.
func receiver(f *ast.FuncDecl) string {
	for t := f.Recv.List[0].Type; ; {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}

// documentedType asks for a comment on the type, on each method of an interface
// that has several, and on each field of what a user fills in.
func documentedType(decl *ast.GenDecl, spec *ast.TypeSpec, report reporter) {
	name := spec.Name.Name
	if !ast.IsExported(name) {
		return
	}
	doc := spec.Doc
	if doc == nil && !decl.Lparen.IsValid() {
		doc = decl.Doc
	}
	documentedName(spec, name, doc, report)
	switch t := spec.Type.(type) {
	case *ast.InterfaceType:
		documentedMethods(name, t, report)
	case *ast.StructType:
		if slices.ContainsFunc([]string{"Config", "Options"}, func(end string) bool { return strings.HasSuffix(name, end) }) {
			documentedFields(name, t, report)
		}
	}
}

func documentedMethods(name string, t *ast.InterfaceType, report reporter) {
	methods := slices.DeleteFunc(slices.Clone(t.Methods.List), func(f *ast.Field) bool { return len(f.Names) == 0 })
	if len(methods) < 2 {
		return // the type's comment tells
	}
	for _, f := range methods {
		if f.Names[0].IsExported() && f.Doc == nil && f.Comment == nil {
			report(f, "%s.%s has no comment", name, f.Names[0].Name)
		}
	}
}

func documentedFields(name string, t *ast.StructType, report reporter) {
	for _, f := range t.Fields.List {
		if f.Doc != nil || f.Comment != nil {
			continue
		}
		for _, n := range f.Names {
			if n.IsExported() {
				report(f, "%s.%s has no comment", name, n.Name)
			}
		}
	}
}

// documentedValue asks for a comment on a constant or variable, or on its group.
func documentedValue(decl *ast.GenDecl, spec *ast.ValueSpec, report reporter) {
	for _, n := range spec.Names {
		if !n.IsExported() {
			continue
		}
		if !decl.Lparen.IsValid() {
			documentedName(spec, n.Name, decl.Doc, report)
		} else if decl.Doc == nil && spec.Doc == nil && spec.Comment == nil {
			report(spec, "%s has no comment, and neither has its group", n.Name)
		}
	}
}

// documentedName asks for a comment that begins with the name.
func documentedName(at ast.Node, name string, doc *ast.CommentGroup, report reporter) {
	if doc.Text() == "" {
		report(at, "%s has no comment", name)
		return
	}
	text := doc.Text()
	for _, article := range []string{"A ", "An ", "The "} {
		text = strings.TrimPrefix(text, article)
	}
	rest, ok := strings.CutPrefix(text, name)
	next, _ := utf8.DecodeRuneInString(rest)
	if !ok || unicode.IsLetter(next) || unicode.IsDigit(next) {
		report(at, "the comment on %s begins with another word", name)
	}
}

// unexplained finds the packages without a package comment, and those where it
// does not begin as go doc expects.
func unexplained(sources []*source) []string {
	explained := map[string]bool{}
	for _, s := range sources {
		if s.test() {
			continue
		}
		text := s.syntax.Doc.Text()
		begin := "Package " + s.syntax.Name.Name + " "
		if s.syntax.Name.Name == "main" {
			begin = "Command "
		}
		explained[s.dir()] = explained[s.dir()] || strings.HasPrefix(text, begin)
	}
	var all []string
	for _, dir := range slices.Sorted(maps.Keys(explained)) {
		if !explained[dir] {
			all = append(all, fmt.Sprintf("%s: no package comment that begins with Package or Command and the name", dir))
		}
	}
	return all
}
