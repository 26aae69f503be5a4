package gatepost

import (
	"fmt"
	"math/bits"
	"strings"
	"testing"
)

func TestKeyOf(t *testing.T) {
	same := func(a, b string) {
		t.Helper()
		if KeyOf("GET", a) != KeyOf([]byte("GET"), []byte(b)) {
			t.Errorf("%q and %q are one request", a, b)
		}
	}
	other := func(m1, a, m2, b string) {
		t.Helper()
		if KeyOf(m1, a) == KeyOf(m2, b) {
			t.Errorf("%s %q and %s %q are two requests", m1, a, m2, b)
		}
	}
	same("/web/login", "/web/login")
	same("/web/login?db=x", "/web/login")
	same("/web/login#top", "/web/login?a#b")
	same("/a%20b%C3%A9", "/a b\u00e9")
	same("/a%2", "/a%2?x")
	same("/100%zz", "/100%zz")
	same("", "?q")
	other("GET", "/a", "POST", "/a")
	other("GET", "/a", "GET", "/a/")
	other("GET", "/a%2", "GET", "/a")
	other("GETX", "", "GET", "X")
}

// TestLastBytes holds that hashes are what they are in every store: bytes in the order of a word.
func TestLastBytes(t *testing.T) {
	const text = "\xf1\xe2\xd3\xc4\xb5\xa6\x97\x88\x79"
	for size := range len(text) + 1 {
		for n := range min(size+1, 8) {
			if size < 8 && n != size {
				continue
			}
			var want uint64
			for i := size - 1; i >= size-n; i-- {
				want = want<<8 | uint64(text[i])
			}
			if got := lastBytes(text[:size], n); got != want {
				t.Errorf("the last %d bytes of %x are %x, want %x", n, text[:size], got, want)
			}
		}
	}
}

// TestHashOf holds that no two of a million short words that logs are full of have one hash, and
// that each bit of a word moves about half of the bits of its hash.
func TestHashOf(t *testing.T) {
	seen := make(map[uint64]string, 1_000_000)
	for i := range 1_000_000 {
		w := fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)
		if i%2 == 1 {
			w = fmt.Sprintf("/web/image/%d/x", i)
		}
		h := HashOf(w)
		if old, ok := seen[h]; ok {
			t.Fatalf("%q and %q have one hash", old, w)
		}
		seen[h] = w
	}
	for size := 1; size <= 40; size++ {
		b := make([]byte, size)
		moved, flips := 0, 0
		for i := range b {
			for bit := range 8 {
				before := HashOf(b)
				b[i] ^= 1 << bit
				moved += bits.OnesCount64(before ^ HashOf(b))
				flips++
			}
		}
		if mean := float64(moved) / float64(flips); mean < 26 || mean > 38 {
			t.Errorf("%d bytes: a bit moves %.1f of 64", size, mean)
		}
	}
}

func BenchmarkHashOf(b *testing.B) {
	for _, text := range []string{"10.20.2.46", "/web/dataset/call_kw/sale.order/web_search_read"} {
		b.Run(fmt.Sprint(len(text)), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			line := []byte(text)
			for b.Loop() {
				HashOf(line)
			}
		})
	}
}

// FuzzKeyOf holds that a path is hashed in one pass as it is in two: decode it, then hash it.
func FuzzKeyOf(f *testing.F) {
	for _, path := range []string{"/web/login", "/a%20b?x", "/12345678%", "/1234567%41#", "%", "/100%2"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if got, want := hashOfPath([]byte(path)), HashOf(decoded(path, 0)); got != want {
			t.Errorf("%q: %x in one pass, %x in two", path, got, want)
		}
	})
}

// FuzzRouteOf holds that RouteOf, which reads eight bytes at a time, finds what one reads segment by segment.
func FuzzRouteOf(f *testing.F) {
	for _, path := range []string{
		"", "/", "//", "/web/login", "/web/image/17/x", "/my/orders/12?access_token=1", "/v1/x", "/v12/x", "/v123/x", "/xv1", "/a1#b2",
		"/web/image/res.partner/8895/avatar_128", "12345678", "/1234567", "/abcdefg/1", "/:;<=>/", "/\xb0\xb1\xb2\xb3\xb4\xb5\xb6", "/é9",
	} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		before, _, _ := strings.Cut(path, "?")
		before, _, _ = strings.Cut(before, "#")
		segments := strings.Split(before, "/")
		for i, s := range segments {
			if strings.ContainsAny(s, "0123456789") && !(len(s) <= 3 && s[0] == 'v') {
				segments[i] = "*"
			}
		}
		want := "GET " + strings.Join(segments, "/")
		if got := string(RouteOf([]byte("GET "), []byte(path))); got != want {
			t.Errorf("%q: %q, want %q", path, got, want)
		}
	})
}
