package reports

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"gatepost"
)

// pageModels are what pages are drawn of in these tests.
func pageModels() map[string]*gatepost.Model {
	all := map[string]*gatepost.Model{"terrible": terribleModel(), "long": citeChains(longModel())}
	for _, c := range models {
		all[c.name] = citeChains(c.make())
	}
	return all
}

func drawPage(t testing.TB, m *gatepost.Model) string {
	t.Helper()
	var b bytes.Buffer
	if err := renderHTML(&b, m, Options{}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A page opens on a telephone, however terrible the night was, and holds nothing that a browser would obey.
func TestPageIsBoundedAndHarmless(t *testing.T) {
	for name, m := range pageModels() {
		text := drawPage(t, m)
		if len(text) > 1_000_000 {
			t.Errorf("%s: %d bytes", name, len(text))
		}
		body := text[strings.Index(text, "<body>"):strings.LastIndex(text, "<script>")]
		for _, r := range html.UnescapeString(body) {
			if r != '\n' && hidden(r) {
				t.Errorf("%s: %U", name, r)
				break
			}
		}
		for _, tag := range regexp.MustCompile(`<(script|img|iframe|object|link|style|base|meta|audio|video)\b`).FindAllString(body, -1) {
			if tag != "<script" || strings.Count(body, tag) > 1 {
				t.Errorf("%s: %s in the body", name, tag)
			}
		}
		for _, link := range regexp.MustCompile(`(?:href|src|action)="([^"]*)"`).FindAllStringSubmatch(body, -1) {
			if !strings.HasPrefix(link[1], "#") {
				t.Errorf("%s: a link to %s", name, link[1])
			}
		}
	}
}

// The numbers of a page are those of the ledger.
func TestPageNumbers(t *testing.T) {
	for name, m := range pageModels() {
		text := drawPage(t, m)
		l := newLedger(m)
		for range l.failures() {
		}
		if m.Night != nil {
			if total := sumOfData(t, text); total != l.count {
				t.Errorf("%s: the picture has %d failures of %d", name, total, l.count)
			}
		}
		for cause, n := range l.byCause {
			row := `</span>` + html.EscapeString(clip(visible(cause), 60)) + `</th><td class="n" data-head="failed">` + count(n) + `</td>`
			if !strings.Contains(html.UnescapeString(text), html.UnescapeString(row)) {
				t.Errorf("%s: no row of %s with %d", name, cause, n)
			}
		}
		for i := range m.Incidents {
			if in := &m.Incidents[i]; in.Failures > 0 && i < pageListed && !strings.Contains(text, `<p class="cost">`+count(in.Failures)+" failed") {
				t.Errorf("%s: %s has no cost of %d", name, in.ID, in.Failures)
			}
		}
		for i := range m.Incidents {
			in := &m.Incidents[i]
			if listed := strings.Count(text, `<tr class="failure"`); listed > pageRequests*len(m.Incidents) {
				t.Errorf("%s: %d failures are listed of %s", name, listed, in.ID)
			}
		}
	}
	if text := drawPage(t, terribleModel()); !strings.Contains(text, "and 3,725 more") || !strings.Contains(text, "gatepost analyze --format csv /var/log/nginx /var/log/odoo") {
		t.Error("a page does not say where the failures are that it leaves out")
	}
}

// sumOfData adds up the failures of the series that the script reads.
func sumOfData(t *testing.T, text string) (total int) {
	t.Helper()
	_, data, _ := strings.Cut(text, `"failures":{`)
	data, _, _ = strings.Cut(data, "}")
	for _, n := range regexp.MustCompile(`\d+`).FindAllString(regexp.MustCompile(`"\d+":`).ReplaceAllString(data, ""), -1) {
		k, err := strconv.Atoi(n)
		if err != nil {
			t.Fatal(err)
		}
		total += k
	}
	return total
}

// An incident whose lines name one process has that pid marked in all of them.
func TestMarksTieLinesTogether(t *testing.T) {
	m := citeChains(nightModel())
	text := drawPage(t, m)
	for _, want := range []string{"Killed process <mark>7324</mark> (odoo", "<mark>29545</mark> INFO"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
	marks := &marks{}
	var all string
	for _, p := range marks.cut("Nov 22 14:10:38 host kernel: x 14:10:39", "time") {
		all += fmt.Sprintf("[%s %v]", p.Text, p.Mark)
	}
	if want := "[Nov 22  false][14:10:38 true][ host kernel: x 14:10:39 false]"; all != want {
		t.Errorf("got %s, want %s", all, want)
	}
}

// In a browser: nothing on the console, nothing fetched, nothing beside the screen of a telephone, headings in order, names
// for what is seen only, and every ID once.
func TestPageInBrowser(t *testing.T) {
	for name, m := range pageModels() {
		t.Run(name, func(t *testing.T) {
			p := openPage(t, m, look{width: 360, height: 800})
			eval[int](p, `[...document.querySelectorAll('details')].map((d) => { d.open = true; }).length`)
			if w := eval[int](p, `document.documentElement.scrollWidth`); w > 360 {
				t.Errorf("%d pixels wide, because of %s", w, eval[string](p, `[...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > 361 && !e.closest('svg')).map((e) => e.tagName + '.' + e.className + ' ' + Math.round(e.getBoundingClientRect().right)).slice(0, 5).join('; ')`))
			}
			for _, fault := range eval[[]string](p, `(() => {
				const faults = [], all = (q) => [...document.querySelectorAll(q)];
				let level = 0;
				for (const h of all('h1, h2, h3, h4')) {
					if (+h.tagName[1] > level + 1) faults.push(h.tagName + ' follows H' + level);
					level = +h.tagName[1];
				}
				if (all('h1').length !== 1 || all('main').length !== 1 || all('header').length !== 1 || all('footer').length !== 1) faults.push('landmarks');
				for (const s of all('section, article')) if (!s.ariaLabel && !s.getAttribute('aria-labelledby')) faults.push('a region without a name');
				for (const s of all('[aria-labelledby]')) if (!document.getElementById(s.getAttribute('aria-labelledby'))) faults.push('a name that is not there');
				for (const s of all('svg[role=img]')) if (!s.getAttribute('aria-label')) faults.push('a picture without words');
				for (const s of all('th')) if (!s.scope) faults.push('a head of nothing');
				for (const s of all('select, input')) if (!s.labels.length) faults.push('a control without a label');
				return faults;
			})()`) {
				t.Error(fault)
			}
			if name != "hostile" && name != "empty" { // whose incidents have one ID
				if twice := eval[string](p, `(() => { const seen = new Set(); return [...document.querySelectorAll('[id]')].filter((e) => seen.has(e.id) || !seen.add(e.id)).map((e) => e.id).join(' '); })()`); twice != "" {
					t.Errorf("IDs twice: %s", twice)
				}
				if lost := eval[string](p, `[...document.querySelectorAll('a[href^="#"]')].filter((a) => !document.getElementById(a.getAttribute('href').slice(1))).map((a) => a.getAttribute('href')).join(' ')`); lost != "" {
					t.Errorf("links to nowhere: %s", lost)
				}
			}
			p.calm()
		})
	}
}

// contrastScript finds texts whose colour is too near to what is behind them (WCAG AA). Words over the bands of the picture are
// held against every band.
const contrastScript = `(() => {
	const parse = (c) => { const m = c.match(/[\d.]+/g).map(Number); return m.length > 3 ? m : [...m, 1]; };
	const over = (a, b) => a.slice(0, 3).map((x, i) => x * a[3] + b[i] * (1 - a[3]));
	const light = (c) => { const [r, g, b] = c.map((x) => { x /= 255; return x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
	const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
	const behind = (e) => {
		const layers = [];
		for (; e; e = e.parentElement) layers.push(parse(getComputedStyle(e).backgroundColor));
		return layers.reverse().reduce((base, l) => over(l, base), document.documentElement.dataset.theme === 'dark' || matchMedia('(prefers-color-scheme: dark)').matches ? [0, 0, 0] : [255, 255, 255]);
	};
	const bands = [...document.querySelectorAll('.bands rect')].map((r) => { const s = getComputedStyle(r); return [...parse(s.fill).slice(0, 3), +s.fillOpacity]; });
	const faults = new Set(), walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	let n = 0;
	for (let t; t = walk.nextNode();) {
		const e = t.parentElement, s = getComputedStyle(e);
		if (!t.data.trim() || e.closest('script, style, title, option') || s.visibility === 'hidden') continue;
		n++;
		const base = behind(e), color = parse(e.closest('svg') ? s.fill : s.color);
		for (const b of [base, ...(e.closest('.plot') && !e.closest('.axis') ? bands.map((b) => over(b, base)) : [])]) {
			const r = ratio(over(color, b), b);
			const large = parseFloat(s.fontSize) >= 24 || parseFloat(s.fontSize) >= 18.66 && +s.fontWeight >= 700;
			if (r < (large ? 3 : 4.5)) faults.add(e.tagName + '.' + e.getAttribute('class') + ' ' + r.toFixed(2) + ': ' + t.data.trim().slice(0, 40));
		}
	}
	if (n < 20) faults.add('only ' + n + ' texts');
	return [...faults];
})()`

func TestPageContrast(t *testing.T) {
	for _, name := range []string{"night", "terrible", "hostile", "quiet"} {
		m := pageModels()[name]
		for _, dark := range []bool{false, true} {
			p := openPage(t, m, look{dark: dark})
			eval[int](p, `[...document.querySelectorAll('details')].map((d) => { d.open = true; }).length`)
			for _, fault := range eval[[]string](p, contrastScript) {
				t.Errorf("%s, dark %v: %s", name, dark, fault)
			}
			// The button gives the other theme, whatever the system has.
			p.do(chromedp.Click(chromedp.CSS("#theme")))
			if theme := eval[string](p, `document.documentElement.dataset.theme`); theme != map[bool]string{true: "light", false: "dark"}[dark] {
				t.Errorf("%s: the theme is %q", name, theme)
			}
			eval[int](p, `(localStorage.clear(), 1)`)
			p.calm()
		}
	}
}

// Without scripts nothing is missing but the controls, and every line can be opened.
func TestPageWithoutScripts(t *testing.T) {
	m := citeChains(nightModel())
	with, without := openPage(t, m, look{}), openPage(t, m, look{noScript: true})
	const text = `[...document.querySelectorAll('main > section')].map((s) => { const c = s.cloneNode(true); c.querySelectorAll('.readout, .controls, .filters').forEach((e) => e.remove()); return c.textContent; }).join('')`
	if a, b := eval[string](with, text), eval[string](without, text); a != b || len(b) < 5000 {
		t.Errorf("%d characters with scripts, %d without", len(a), len(b))
	}
	if n := eval[int](without, `[...document.querySelectorAll('button, select, input')].filter((e) => e.checkVisibility()).length`); n != 0 {
		t.Errorf("%d controls that do nothing", n)
	}
	without.do(chromedp.Click(chromedp.CSS(".quote summary")))
	if !eval[bool](without, `document.querySelector('.quote').open && document.querySelector('.quote pre').checkVisibility()`) {
		t.Error("a line does not open")
	}
	without.calm()
	with.calm()
}

// Everything can be reached and used by the keyboard.
func TestPageKeyboard(t *testing.T) {
	m := citeChains(nightModel())
	p := openPage(t, m, look{})
	reachable := eval[int](p, `[...document.querySelectorAll('a[href], button, select, input, summary, [tabindex="0"]')].filter((e) => e.checkVisibility() && !e.closest('details:not([open]) > :not(summary)')).length`)
	seen := 0
	for range reachable + 5 {
		p.do(chromedp.KeyEvent(kb.Tab))
		if eval[string](p, `document.activeElement.tagName`) == "BODY" {
			break
		}
		if !eval[bool](p, `(() => { const e = document.activeElement, s = getComputedStyle(e); return s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) > 0; })()`) {
			t.Errorf("the focus is not seen at %s", eval[string](p, `document.activeElement.outerHTML.slice(0, 80)`))
		}
		seen++
	}
	if seen != reachable {
		t.Errorf("the keyboard reaches %d of %d", seen, reachable)
	}
	press := func(selector, keys string) {
		t.Helper()
		eval[int](p, `(document.querySelector(`+strconv.Quote(selector)+`).focus(), 1)`)
		p.do(chromedp.KeyEvent(keys))
	}
	press(".skip", kb.Enter)
	if hash := eval[string](p, `location.hash`); hash != "#outages" {
		t.Errorf("the first link leads to %q", hash)
	}
	press("input[type=range]", kb.ArrowRight+kb.ArrowRight)
	if said := eval[string](p, `document.querySelector('.readout').textContent`); !strings.HasPrefix(said, "21:02: ") || !strings.Contains(said, "none failed") || said != eval[string](p, `document.querySelector('input[type=range]').getAttribute('aria-valuetext')`) {
		t.Errorf("at the third minute it says %q", said)
	}
	press(`[data-zoom="in"]`, kb.Enter)
	if box := eval[string](p, `document.querySelector('.marks').getAttribute('viewBox')`); !strings.Contains(box, " 360 ") {
		t.Errorf("closer shows %s", box)
	}
	press(`[data-zoom="all"]`, " ")
	if box := eval[string](p, `document.querySelector('.marks').getAttribute('viewBox')`); !strings.Contains(box, " 720 ") {
		t.Errorf("the whole night shows %s", box)
	}
	press(`select[name=cause]`, "o") // oom_kill: a letter chooses in a list
	if shown := eval[[]string](p, `[...document.querySelectorAll('.ranked li')].filter((e) => e.checkVisibility()).map((e) => e.dataset.cause)`); !slices.Equal(shown, []string{"oom_kill"}) {
		t.Errorf("chosen was oom_kill, shown are %v", shown)
	}
	if said := eval[string](p, `document.querySelector('#shown').textContent`); said != "1 of 4 outages are shown" {
		t.Errorf("the filter says %q", said)
	}
	press(`.outage:not([data-off]) .quote summary`, kb.Enter)
	if !eval[bool](p, `document.querySelector('.outage:not([data-off]) .quote').open`) {
		t.Error("a line does not open")
	}
	press(`.outage:not([data-off]) .copy`, kb.Enter)
	if done := eval[string](p, `new Promise((done) => { const b = document.querySelector('.outage:not([data-off]) .copy'), tell = () => b.textContent !== 'copy' ? done(b.textContent) : requestAnimationFrame(tell); tell(); })`, chromedp.EvalAwaitPromise); done != "copied" && done != "selected" {
		t.Errorf("copying says %q", done)
	}
	p.calm()
}

// An outage is shown while one of its failures has every chosen property, and of these failures those that have.
func TestPageFilters(t *testing.T) {
	m := citeChains(nightModel())
	for i, f := range failuresOf(m) {
		m.Night.Whose[f.ID] = gatepost.Whose{Host: []string{"erp", "shop"}[i%2], Database: map[bool]string{true: "prod", false: "test"}[f.Incident == "i-01"]}
	}
	p := openPage(t, m, look{})
	for choice, want := range map[string]string{
		"host=shop":                         "i-01 i-04 i-03 16",
		"database=prod":                     "i-01 25",
		"cause=oom_kill":                    "i-03 2",
		"route=/web/export/xlsx/sale.order": "i-03 2",
		"host=erp&database=test":            "i-04 i-03 i-02 4",
		"":                                  "i-01 i-04 i-03 i-02 33",
	} {
		got := eval[string](p, `(() => {
			const form = document.querySelector('.filters'), chosen = new URLSearchParams(`+strconv.Quote(choice)+`);
			for (const s of form.querySelectorAll('select')) s.value = chosen.get(s.name) || '';
			form.dispatchEvent(new Event('change'));
			const seen = (q) => [...document.querySelectorAll(q)].filter((e) => !e.closest('[data-off]'));
			return [...seen('.ranked li').map((e) => e.querySelector('a').textContent), seen('.failure').length].join(' ');
		})()`)
		if got != want {
			t.Errorf("%q shows %s, want %s", choice, got, want)
		}
	}
	p.calm()
}

// On paper every outage begins a page and is open.
func TestPageOnPaper(t *testing.T) {
	m := citeChains(nightModel())
	p := openPage(t, m, look{})
	if sheet := command(p, cdppage.PrintToPDF, cdppage.PrintToPDFParams{}).Data; !bytes.HasPrefix(sheet, []byte("%PDF")) || bytes.Count(sheet, []byte("/Type /Page\n")) < len(m.Incidents) {
		t.Errorf("%d bytes, %d pages", len(sheet), bytes.Count(sheet, []byte("/Type /Page\n")))
	}
	command(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
	eval[bool](p, `dispatchEvent(new Event('beforeprint'))`)
	if shut := eval[int](p, `document.querySelectorAll('.outage details:not([open])').length`); shut != 0 {
		t.Errorf("%d parts are shut", shut)
	}
	if breaks := eval[int](p, `[...document.querySelectorAll('.outage')].filter((e) => getComputedStyle(e).breakBefore === 'page').length`); breaks < len(m.Incidents)-1 {
		t.Errorf("%d page breaks", breaks)
	}
	p.calm()
}

// What strangers wrote is text: it makes no element, and runs nothing.
func TestPageHostile(t *testing.T) {
	p := openPage(t, hostileModel(), look{})
	if n := eval[int](p, `document.scripts.length`); n != 2 {
		t.Errorf("%d scripts", n)
	}
	if found := eval[string](p, `[...document.querySelectorAll('img, iframe, [onerror], [onclick], a[href^="javascript"], a[href^="http"]')].map((e) => e.outerHTML).join()`); found != "" {
		t.Error(found)
	}
	if !eval[bool](p, `document.querySelector('main').textContent.includes('<script>alert(1)</script>')`) {
		t.Error("the attack is not shown as text")
	}
	if eval[bool](p, `document.querySelector('main').textContent.includes('\u202e')`) {
		t.Error("a bidi override stands bare")
	}
	p.calm()
}

func BenchmarkPage(b *testing.B) {
	m := terribleModel()
	for b.Loop() {
		if err := renderHTML(io.Discard, m, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
