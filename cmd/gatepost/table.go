package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"gatepost/store"
)

const (
	// tableSample is how many rows set the widths of the columns; what is wider in a later row
	// sticks out.
	tableSample = 1000
	// cellLimit is the widest column in characters.
	cellLimit = 120
)

// drawTable writes rows in aligned columns, numbers to the right.
func drawTable(w io.Writer, rows *store.Rows) error {
	t := table{out: w, widths: make([]int, len(rows.Columns)), text: make([]bool, len(rows.Columns))}
	t.add(rows.Columns)
	for row, err := range rows.Rows {
		if err != nil {
			return err
		}
		cells := make([]string, len(row))
		for i, v := range row {
			cells[i] = cell(v)
			_, isText := v.(string)
			t.text[i] = t.text[i] || isText
		}
		t.add(cells)
		if len(t.waiting) > tableSample {
			t.measured = true
		}
		if err := t.flush(); err != nil {
			return err
		}
	}
	t.measured = true
	return t.flush()
}

// table holds rows back until it knows how wide their columns are.
type table struct {
	out      io.Writer
	widths   []int
	text     []bool // columns that hold text
	waiting  [][]string
	measured bool
}

func (t *table) add(cells []string) {
	for i, c := range cells {
		if !t.measured {
			t.widths[i] = max(t.widths[i], utf8.RuneCountInString(c))
		}
	}
	t.waiting = append(t.waiting, cells)
}

func (t *table) flush() error {
	if !t.measured {
		return nil
	}
	for _, cells := range t.waiting {
		var line strings.Builder
		for i, c := range cells {
			if i > 0 {
				line.WriteString("  ")
			}
			width := t.widths[i]
			if t.text[i] {
				width = -width
			}
			fmt.Fprintf(&line, "%*s", width, c)
		}
		if _, err := fmt.Fprintln(t.out, strings.TrimRight(line.String(), " ")); err != nil {
			return err
		}
	}
	t.waiting = t.waiting[:0]
	return nil
}

// cell is a value for people: on one line, without anything a terminal obeys.
func cell(v any) string {
	s := oneLine(plain(v))
	if utf8.RuneCountInString(s) > cellLimit {
		return string([]rune(s)[:cellLimit-1]) + "…"
	}
	return s
}

// plain is a value as text; NULL is empty.
func plain(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case []byte:
		return fmt.Sprintf("%x", v)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return fmt.Sprint(v)
}

// drawCSV writes rows for spreadsheets. Text that a spreadsheet would take for a formula gets an
// apostrophe before it, because logs are written by strangers.
func drawCSV(w io.Writer, rows *store.Rows) error {
	out := csv.NewWriter(w)
	if err := out.Write(rows.Columns); err != nil {
		return err
	}
	for row, err := range rows.Rows {
		if err != nil {
			return err
		}
		cells := make([]string, len(row))
		for i, v := range row {
			cells[i] = plain(v)
			if _, isText := v.(string); isText && strings.ContainsAny(cells[i][:min(1, len(cells[i]))], "=+-@\t\r") {
				cells[i] = "'" + cells[i]
			}
		}
		if err := out.Write(cells); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// drawJSON writes rows as an array of objects, one a line, with the columns in their order.
func drawJSON(w io.Writer, rows *store.Rows) error {
	line := &bytes.Buffer{}
	line.WriteString("[")
	separator := "\n"
	for row, err := range rows.Rows {
		if err != nil {
			return err
		}
		line.WriteString(separator)
		separator = ",\n"
		if err := writeObject(line, rows.Columns, row); err != nil {
			return err
		}
		if _, err := line.WriteTo(w); err != nil {
			return err
		}
	}
	line.WriteString("\n]\n")
	_, err := line.WriteTo(w)
	return err
}

func writeObject(b *bytes.Buffer, columns []string, row []any) error {
	b.WriteByte('{')
	for i, v := range row {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(columns[i])
		if err != nil {
			return err
		}
		if raw, ok := v.([]byte); ok {
			v = fmt.Sprintf("%x", raw)
		}
		value, err := json.Marshal(v)
		if err != nil {
			return err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return nil
}
