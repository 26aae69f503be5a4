package reports

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"gatepost"
)

// chromium starts one browser for all tests of the package; "" says why there is none.
var chromium = sync.OnceValues(func() (context.Context, string) {
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		return nil, "there is no Chromium on this machine"
	}
	ctx, _ := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-component-update", true))...)
	ctx, _ = chromedp.NewContext(ctx)
	if err := chromedp.Do(ctx); err != nil {
		return nil, err.Error()
	}
	opened = true
	return ctx, ""
})

// opened says that there is a browser to be closed.
var opened bool

func TestMain(m *testing.M) {
	status := m.Run()
	if opened {
		browser, _ := chromium()
		chromedp.Cancel(browser)
	}
	os.Exit(status)
}

// tab is a page in the browser, with all that went wrong in it.
type tab struct {
	*testing.T
	ctx      context.Context
	mu       sync.Mutex
	troubles []string
}

// look is how a page is looked at.
type look struct {
	width, height int64
	dark          bool
	noScript      bool
}

// openPage draws a model as a page and opens it.
func openPage(t *testing.T, m *gatepost.Model, l look) *tab {
	t.Helper()
	var page bytes.Buffer
	if err := renderHTML(&page, m, Options{}); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "night.html")
	if err := os.WriteFile(file, page.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return openFile(t, file, l)
}

func openFile(t *testing.T, file string, l look) *tab {
	t.Helper()
	if testing.Short() {
		t.Skip("not with -short: it starts a browser")
	}
	browser, why := chromium()
	if browser == nil {
		t.Skip("not tested in a browser: " + why)
	}
	ctx, cancel := chromedp.NewContext(browser)
	t.Cleanup(cancel)
	p := &tab{T: t, ctx: ctx}
	if err := chromedp.Listen(ctx, p.listen); err != nil {
		t.Fatal(err)
	}
	scheme := "light"
	if l.dark {
		scheme = "dark"
	}
	if l.width == 0 {
		l.width, l.height = 1280, 900
	}
	command(p, network.Enable, network.EnableParams{})
	command(p, cdplog.Enable, cdp.Empty{})
	command(p, runtime.Enable, cdp.Empty{})
	command(p, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: l.width, Height: l.height, DeviceScaleFactor: 1, Mobile: l.width < 600})
	command(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
	command(p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: l.noScript})
	p.do(chromedp.Navigate("file://" + file))
	return p
}

// command sends a command of the browser's protocol.
func command[P, R any](p *tab, c cdp.Command[P, R], params P) R {
	p.Helper()
	r, err := chromedp.Call(p.ctx, c, params)
	if err != nil {
		p.Fatalf("%s: %v", c.Method, err)
	}
	return r
}

// listen notes what a page must not do: errors on the console, and requests for anything but itself.
func (p *tab) listen(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		p.troubles = append(p.troubles, "exception: "+e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		p.troubles = append(p.troubles, "console: "+string(e.Type))
	case *cdplog.EventEntryAdded:
		p.troubles = append(p.troubles, string(e.Entry.Level)+": "+e.Entry.Text)
	case *network.EventRequestWillBeSent:
		if url := e.Request.URL; !strings.HasSuffix(url, ".html") && url != "data:," {
			p.troubles = append(p.troubles, "request: "+url)
		}
	}
}

func (p *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.Helper()
	if err := chromedp.Do(p.ctx, steps...); err != nil {
		p.Fatal(err)
	}
}

// eval returns what an expression of JavaScript gives.
func eval[R any](p *tab, js string, o ...chromedp.EvaluateOption) R {
	p.Helper()
	r, err := chromedp.Run(p.ctx, chromedp.Evaluate[R](js, o...))
	if err != nil {
		p.Fatalf("%s: %v", js, err)
	}
	return r
}

// calm wants that nothing went wrong.
func (p *tab) calm() {
	p.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range slices.Compact(p.troubles) {
		p.Error(s)
	}
}
