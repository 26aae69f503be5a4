package reports

import (
	"bufio"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html/template"
	"io"
	"strings"

	"gatepost"
)

var _ = register(&Report{
	Name:   "html",
	Ext:    ".html",
	Doc:    "one page for a browser, by mail or from a folder: it needs no network, and prints",
	Night:  true,
	Render: renderHTML,
})

// How much of a night a page holds. A terrible one must stay a page that a telephone opens.
const (
	pageRequests  = 25 // failures listed per incident
	pageIncidents = 40 // incidents told in full, the largest
	pageListed    = 200
	pageSources   = 300
	pageWorkers   = 24   // rows of a film
	pageSpans     = 2000 // times at work in a film
	pageLine      = 2000 // columns of a log's line
	pageProse     = 400  // columns of a sentence, a path, a name
)

//go:embed html
var pageFiles embed.FS

func pageFile(name string) string {
	text, err := pageFiles.ReadFile("html/" + name)
	if err != nil {
		panic(err) // it is part of the program
	}
	return string(text)
}

var (
	pageStyle    = pageFile("page.css")
	pageScript   = pageFile("page.js")
	pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{"number": number}).ParseFS(pageFiles, "html/*.tmpl"))
	// pagePolicy forbids a browser everything but the style and the script of the page, by their hashes.
	pagePolicy = "default-src 'none'; style-src '" + hashSource(pageStyle) + "'; script-src '" + hashSource(pageScript) +
		"'; img-src data:; base-uri 'none'; form-action 'none'"
)

func hashSource(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

func renderHTML(w io.Writer, m *gatepost.Model, _ Options) error {
	t, err := newTally(m, pageClock(m), pageRequests)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	if err := pageTemplate.ExecuteTemplate(out, "page.tmpl", newSheet(t)); err != nil {
		return err
	}
	return out.Flush()
}

// sheet is what the template lays out. Every text in it that a stranger may have written has gone through visible.
type sheet struct {
	Policy    string
	Style     template.CSS
	Script    template.JS
	Title     string
	Where     []string
	Verdict   string
	More      string
	Figures   []figureBox
	Picture   *picture
	Incidents []listed
	Unlisted  string
	Stray     string
	Details   []account
	Outages   []account
	Watched   string
	Filters   []filter
	Causes    []causeRow
	Trend     *trend
	Routes    *table
	Queries   *table
	Actions   *table
	Late      *table
	LateSays  string
	Sources   []sourceBox
	Config    []text
	Gaps      []text
	Notes     []text
	Missing   []missingRow
	Imprint   string
	Data      *pageData
}

// figureBox is a number, what it is, and what it is compared with.
type figureBox struct{ Label, Value, Beside string }

// text is a stranger's text that is folded where it is long.
type text struct{ Head, Rest string }

func (t *tally) newText(s string) text { return fold(s, pageProse) }

// fold cuts a text that is longer than limit columns. What is folded away is bounded too: a page is no log.
func fold(s string, limit int) text {
	s = visible(strings.TrimSpace(s))
	head, rest := splitAt(s, limit)
	if rest == "" {
		return text{Head: head}
	}
	return text{Head: head, Rest: clip(rest, 10*limit)}
}

// filter is a choice of what is shown, for one property of a failure.
type filter struct {
	Name, Label, All string
	Choices          []choice
}

type choice struct{ Value, Label string }

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
