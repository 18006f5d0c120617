package main

import (
	"maps"
	"strings"
	"testing"
)

func stockOf(t *testing.T, text string) (map[string]int64, []string) {
	t.Helper()
	var bad []string
	stock, err := readStock("f", strings.NewReader(text), func(b badLine) { bad = append(bad, b.String()) })
	if err != nil {
		t.Fatal(err)
	}
	return stock, bad
}

func TestReadStock(t *testing.T) {
	for _, text := range []string{
		"apple,3\npear,0",
		"item,quantity\napple,3\npear,0\n",
		"\ufeff# stock\r\n\r\nItem , Quantity\r\napple , 3\r\n\"pear\", 0\r\n",
		"quantity;note;ITEM\n3;fresh;apple\n0;;pear\n",
		"apple\t3\npear\t0\t \n",
		"note,quantity,item\nfresh,3,apple\n,0,pear,,\n",
	} {
		stock, bad := stockOf(t, text)
		if len(bad) > 0 || !maps.Equal(stock, map[string]int64{"apple": 3, "pear": 0}) {
			t.Errorf("%q: %v, bad: %q", text, stock, bad)
		}
	}
}

func TestReadStock_BadLines(t *testing.T) {
	for text, reason := range map[string]string{
		"pear":                         "before column 2",
		",1":                           "no item",
		"pear,":                        "not a whole number",
		"pear,many":                    "not a whole number",
		"pear,1.5":                     "not a whole number",
		"pear,-1":                      "negative",
		"pear,9007199254740993":        "out of range",
		"pear,99999999999999999999":    "out of range",
		`"pear,1`:                      "not CSV",
		"apple,4":                      "on line 1 already",
		strings.Repeat("p", 65) + ",1": "65 bytes",
		"item,quantity":                "not a whole number",
		"pear,1,000":                   "3 columns, want 2",
		"pear;1;fresh":                 "3 columns, want 2",
		"\xff,1":                       "not UTF-8",
	} {
		stock, bad := stockOf(t, "apple,3\n"+text+"\nplum,1")
		want := map[string]int64{"apple": 3, "plum": 1}
		if len(bad) != 1 || !strings.HasPrefix(bad[0], "f:2: ") || !strings.Contains(bad[0], reason) || !maps.Equal(stock, want) {
			t.Errorf("%q: %v, bad: %q, want %q", text, stock, bad, reason)
		}
	}
}

// TestReadStock_OtherNames: a line of column names that are not the ones says
// which are.
func TestReadStock_OtherNames(t *testing.T) {
	stock, bad := stockOf(t, "name,amount\napple,3\n")
	if len(bad) != 1 || !strings.Contains(bad[0], "the names must be item and quantity") || stock["apple"] != 3 {
		t.Errorf("%v, bad: %q", stock, bad)
	}
	if _, bad := stockOf(t, "apple,3,000\n"); len(bad) != 1 || strings.Contains(bad[0], "names must be") {
		t.Errorf("bad: %q", bad)
	}
}

func FuzzReadStock(f *testing.F) {
	f.Add("item,quantity\napple,3\n")
	f.Add("\ufeff\"a;b\";1\r\n\"")
	f.Fuzz(func(t *testing.T, text string) {
		stock, _ := stockOf(t, text)
		for item, quantity := range stock {
			if checkName("item", item) != nil || quantity < 0 || quantity > 1<<53 {
				t.Fatalf("%q: %d", item, quantity)
			}
		}
	})
}
