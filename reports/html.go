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
