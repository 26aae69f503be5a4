package reports

import (
	"strings"
)

// table is rows of figures under heads.
type table struct {
	Heads []head
	Rows  []tableRow
}

type head struct {
	Name   string
	Number bool
}

type tableRow struct {
	Cells []cell
	Route string // for the filter, "" when it does not go by routes
}

type cell struct {
	Head   string // its column, for where there is no room for columns
	Text   text
	Number bool
	Code   bool
	Share  string // of the widest bar, percent; "" for none
	Link   string // an ID on this page
}

func newTable(heads ...string) *table {
	t := &table{}
	for _, h := range heads {
		name, number := strings.CutPrefix(h, "#")
		t.Heads = append(t.Heads, head{name, number})
	}
	return t
}

// row adds a row of texts, in the order of the heads.
func (t *table) row(values ...string) *tableRow {
	var cells []cell
	for i, v := range values {
		cells = append(cells, cell{Head: t.Heads[i].Name, Text: fold(v, pageProse), Number: t.Heads[i].Number})
	}
	t.Rows = append(t.Rows, tableRow{Cells: cells})
	return &t.Rows[len(t.Rows)-1]
}
