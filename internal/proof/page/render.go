package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// field is a field of a JSON object; objects keep their order.
type field struct {
	name  string
	value any // string, json.Number, bool, nil, []any or []field
}

// parse reads JSON.
func parse(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return next(d)
}

func next(d *json.Decoder) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		fields := []field{}
		for d.More() {
			name, err := d.Token()
			if err != nil {
				return nil, err
			}
			value, err := next(d)
			if err != nil {
				return nil, err
			}
			fields = append(fields, field{name.(string), value})
		}
		_, err = d.Token()
		return fields, err
	case json.Delim('['):
		list := []any{}
		for d.More() {
			value, err := next(d)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		_, err = d.Token()
		return list, err
	}
	return token, nil
}

// render writes a value as Markdown: a list of objects, and an object of objects,
// as a table; any other object as a list of its fields.
func render(v any) string {
	var b strings.Builder
	switch v := v.(type) {
	case []any:
		if !deep(v) {
			table(&b, "", rows(v))
			break
		}
		var parts []string
		for _, e := range v {
			parts = append(parts, render(e))
		}
		b.WriteString(strings.Join(parts, "\n"))
	case []field:
		if named := objects(v); named != nil {
			table(&b, "case", named)
			break
		}
		var later []field
		for _, f := range v {
			inner, _ := f.value.([]field)
			if _, list := f.value.([]any); list || objects(inner) != nil {
				later = append(later, f)
				continue
			}
			fmt.Fprintf(&b, "* %s: %s\n", words(f.name), cell(f.value))
		}
		for _, f := range later {
			fmt.Fprintf(&b, "\n%s:\n\n%s", words(f.name), render(f.value))
		}
	default:
		fmt.Fprintf(&b, "%s\n", cell(v))
	}
	return b.String()
}

// deep tells whether an object of the list has a list of objects of its own.
func deep(list []any) bool {
	for _, v := range list {
		fields, _ := v.([]field)
		for _, f := range fields {
			if inner, ok := f.value.([]any); ok && len(inner) > 0 {
				if _, ok := inner[0].([]field); ok {
					return true
				}
			}
		}
	}
	return false
}

// row is a row of a table, and what it is called.
type row struct {
	name   string
	fields []field
}

func rows(list []any) (all []row) {
	for _, v := range list {
		fields, ok := v.([]field)
		if !ok {
			fields = []field{{"", v}}
		}
		all = append(all, row{"", fields})
	}
	return all
}

// objects returns the fields as rows, if all are objects.
func objects(fields []field) (all []row) {
	for _, f := range fields {
		inner, ok := f.value.([]field)
		if !ok {
			return nil
		}
		all = append(all, row{f.name, inner})
	}
	return all
}

func table(b *strings.Builder, first string, all []row) {
	if len(all) == 0 {
		b.WriteString("None.\n")
		return
	}
	var columns []string
	seen := make(map[string]bool)
	for _, r := range all {
		for _, f := range r.fields {
			if !seen[f.name] {
				seen[f.name] = true
				columns = append(columns, f.name)
			}
		}
	}
	line := func(cells []string) { fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | ")) }
	var head []string
	if first != "" {
		head = append(head, first)
	}
	for _, c := range columns {
		head = append(head, words(c))
	}
	line(head)
	line(strings.Split(strings.Repeat("---,", len(head)-1)+"---", ","))
	for _, r := range all {
		var cells []string
		if first != "" {
			cells = append(cells, words(r.name))
		}
		for _, c := range columns {
			cells = append(cells, cell(r.get(c)))
		}
		line(cells)
	}
}

func (r row) get(name string) any {
	for _, f := range r.fields {
		if f.name == name {
			return f.value
		}
	}
	return ""
}

// cell writes a value in one line.
func cell(v any) string {
	switch v := v.(type) {
	case json.Number:
		return thousands(v.String())
	case []any:
		var list []string
		for _, e := range v {
			list = append(list, cell(e))
		}
		return strings.Join(list, ", ")
	case []field:
		var list []string
		for _, f := range v {
			list = append(list, words(f.name)+" "+cell(f.value))
		}
		return strings.Join(list, ", ")
	default:
		return strings.NewReplacer("|", `\|`, "\n", " ").Replace(fmt.Sprint(v))
	}
}

// thousands sets commas into a whole number.
func thousands(n string) string {
	if strings.ContainsAny(n, ".eE-") {
		return n
	}
	for i := len(n) - 3; i > 0; i -= 3 {
		n = n[:i] + "," + n[i:]
	}
	return n
}

func words(name string) string { return strings.ReplaceAll(name, "_", " ") }
