package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

const goodOrder = `{"order":"A-1","customer":"alice","lines":[{"item":"apple","quantity":2,"price":150}]}`

func readAll(t *testing.T, text string) (orders []order, bad []string) {
	t.Helper()
	err := readOrders("f", strings.NewReader(text), func(o order) error {
		orders = append(orders, o)
		return nil
	}, func(b badLine) { bad = append(bad, b.String()) })
	if err != nil {
		t.Fatal(err)
	}
	return orders, bad
}

// TestReadOrders: what an outsider may reasonably write is taken.
func TestReadOrders(t *testing.T) {
	text := "\ufeff# a comment\r\n" + goodOrder + "\r\n\r\n  " +
		`{"order": 2, "customer": "b", "note": {"x": [1], "Item": 2, "Order": [{}]}, "note": 1, "lines": [{"item":"i","quantity":1,"price":0,"colour":"red"},{"item":"i","quantity":3,"price":1}]}` +
		"\n{\"order\":\"no line end\",\"customer\":\"c\",\"lines\":[{\"item\":\"é\",\"quantity\":9007199254740992,\"price\":1}]}"
	orders, bad := readAll(t, text)
	if len(bad) > 0 || len(orders) != 3 {
		t.Fatalf("%d orders, bad: %v", len(orders), bad)
	}
	if o := orders[0]; o.Name != "A-1" || o.Customer != "alice" || o.total() != 300 || !o.equal(orders[0]) || o.equal(orders[1]) {
		t.Errorf("%+v", o)
	}
	if o := orders[1]; o.Name != "2" || len(o.Lines) != 2 || o.total() != 3 {
		t.Errorf("%+v", o)
	}
}

// TestReadOrders_BadLines: each is reported with its line and reason, and the
// others go on.
func TestReadOrders_BadLines(t *testing.T) {
	one := func(lines string) string { return fmt.Sprintf(`{"order":"x","customer":"c","lines":[%s]}`, lines) }
	for text, reason := range map[string]string{
		"hello":                          "not JSON",
		`{"order":"x"`:                   "in the middle",
		"[1]":                            "want a JSON object, found array",
		"null":                           "no order",
		goodOrder + "}":                  "something follows",
		goodOrder + goodOrder:            "something follows",
		`{"customer":"c"}`:               "no order",
		`{"order":"x"}`:                  "no customer",
		`{"order":{},"customer":1}`:      "neither text nor a number",
		one(""):                          "no lines",
		one(`{"quantity":1,"price":1}`):  "no item",
		one(`{"item":"i","price":1}`):    "no quantity",
		one(`{"item":"i","quantity":1}`): "no price",
		one(`{"item":"i","quantity":0,"price":1}`):                                                                    "less than 1",
		one(`{"item":"i","quantity":-3,"price":1}`):                                                                   "quantity -3",
		one(`{"item":"i","quantity":1,"price":-1}`):                                                                   "negative",
		one(`{"item":"i","quantity":1.5,"price":1}`):                                                                  "number 1.5",
		one(`{"item":"i","quantity":"1","price":1}`):                                                                  "want a whole number",
		one(`{"item":"i","quantity":99999999999999999999,"price":1}`):                                                 "99999999999999999999",
		one(`{"item":"i","quantity":9007199254740993,"price":0}`):                                                     "more than",
		one(`{"item":"i","quantity":9007199254740992,"price":2}`):                                                     "costs more",
		one(`{"item":"i","quantity":9007199254740992,"price":9007199254}`):                                            "costs more",
		one(strings.Repeat(`{"item":"i","quantity":1,"price":1},`, maxLines) + `{"item":"i","quantity":1,"price":1}`): "101 lines",
		one(`{"item":"` + strings.Repeat("i", maxName+1) + `","quantity":1,"price":1}`):                               "65 bytes",
		one(`{"item":"a\u0000b","quantity":1,"price":1}`):                                                             "control character",
		"{\"order\":\"\xff\"}":                                         "not UTF-8",
		"{\"order\":\"" + strings.Repeat("x", maxLine) + "\"}":         "more than 1048576 bytes",
		`{"order":"A-1","customer":"other"}`:                           "no lines",
		strings.Replace(goodOrder, "order", "Order", 1):                `field "Order" must be written "order"`,
		strings.Replace(goodOrder, "price", "PRICE", 1):                `field "PRICE" must be written "price"`,
		strings.Replace(goodOrder, "{", `{"order":"B-1",`, 1):          `field "order" is there twice`,
		strings.Replace(goodOrder, `"item"`, `"quantity":1,"item"`, 1): `field "quantity" is there twice`,
	} {
		orders, bad := readAll(t, goodOrder+"\n"+text+"\n"+strings.Replace(goodOrder, "A-1", "A-2", 1))
		if len(orders) != 2 || len(bad) != 1 || !strings.HasPrefix(bad[0], "f:2: ") || !strings.Contains(bad[0], reason) {
			t.Errorf("%.60q: %d orders, bad: %.200q, want %q", text, len(orders), bad, reason)
		}
	}
	if _, bad := readAll(t, goodOrder+"\n\n"+goodOrder); len(bad) != 1 || bad[0] != `f:3: order "A-1" is on line 1 already` {
		t.Errorf("a duplicate: %q", bad)
	}
}

// FuzzParseOrder: whatever is taken keeps the limits, and means the same when it
// is written and read again.
func FuzzParseOrder(f *testing.F) {
	f.Add([]byte(goodOrder))
	f.Add([]byte(`{"order":1e3,"customer":null,"lines":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := parseOrder(data)
		if err != nil {
			return
		}
		if total := o.total(); total < 0 || total > 1<<53 || len(o.Lines) == 0 || len(o.Lines) > maxLines {
			t.Fatalf("%+v", o)
		}
		again, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		if same, err := parseOrder(again); err != nil || !same.equal(o) {
			t.Fatalf("%s: %v", again, err)
		}
	})
}
