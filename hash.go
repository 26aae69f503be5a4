package gatepost

import "math/bits"

// Hashes of words are what joins lines of different logs: they are computed for every line, kept in
// stores, and the same on every machine. They read eight bytes at a time and multiply to 128 bits
// (the idea of wyhash by Wang Yi), which costs a fifth of a byte-wise hash such as FNV. They
// are no protection against somebody who searches for collisions: who can write a log line can have
// a request of his taken for another of his.
const (
	hashSeed = 0x9e3779b97f4a7c15
	hashStep = 0xa0761d6478bd642f
	hashLast = 0xe7037ed1a0b428db
)

// HashOf is the hash of b.
func HashOf[T []byte | string](b T) uint64 {
	h, rest := uint64(hashSeed), b
	for ; len(rest) >= 8; rest = rest[8:] {
		h = mix(h^word(rest), hashStep)
	}
	return finish(h, lastBytes(b, len(rest)), len(b))
}

// finish hashes what is left of a text after its whole words, and its size.
func finish(h, last uint64, size int) uint64 {
	return mix(h^last, hashLast+uint64(size)<<1)
}

// lastBytes are the last n bytes of b, less than eight, as a word has them; all of b where that is shorter than a word. They are cut out of
// loads of a fixed size: a loop would end after another number of steps each time, which processors cannot foresee.
func lastBytes[T []byte | string](b T, n int) uint64 {
	switch {
	case len(b) >= 8:
		return word(b[len(b)-8:]) >> (64 - 8*n)
	case n >= 4: // two halves that overlap
		return half(b) | half(b[n-4:])<<(8*(n-4))
	case n > 0: // the first, the middle and the last byte, of which two may be the same
		return uint64(b[0]) | uint64(b[n/2])<<(8*(n/2)) | uint64(b[n-1])<<(8*(n-1))
	}
	return 0
}

// mix multiplies and folds the product, so that every bit of x moves every bit of the result.
func mix(x, y uint64) uint64 {
	hi, lo := bits.Mul64(x^x>>32, y)
	return hi ^ lo
}

// word reads eight bytes in one load.
func word[T []byte | string](b T) uint64 {
	_ = b[7]
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}

// half reads four bytes in one load.
func half[T []byte | string](b T) uint64 {
	_ = b[3]
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24
}

// KeyOf hashes a method and a path so that nginx's and Odoo's line of one request get the same
// key: percent escapes are decoded (Werkzeug 0.15 and later logs the decoded path), the query and
// the fragment (Odoo 19 appends the RPC method there) are left out.
func KeyOf[M, P []byte | string](method M, path P) uint64 {
	return mix(HashOf(method)^hashSeed, hashOfPath(path)|1)
}

// hashOfPath is HashOf what counts of a path, in one pass.
func hashOfPath[P []byte | string](path P) uint64 {
	h, rest := uint64(hashSeed), path
	for ; len(rest) >= 8; rest = rest[8:] {
		w := word(rest)
		if escapes(w) != 0 {
			return hashOfPart(path, len(path)-len(rest))
		}
		h = mix(h^w, hashStep)
	}
	last := lastBytes(path, len(rest))
	if escapes(last) != 0 {
		return hashOfPart(path, len(path)-len(rest))
	}
	return finish(h, last, len(path))
}

// escapes is not 0 when a word holds a byte that ends what counts of a path, or stands for another.
func escapes(w uint64) uint64 { return holds(w, '?') | holds(w, '#') | holds(w, '%') }

// hashOfPart is hashOfPath of a path that has such a byte, at i or behind.
func hashOfPart[P []byte | string](path P, i int) uint64 {
	for path[i] != '?' && path[i] != '#' && path[i] != '%' {
		i++
	}
	if path[i] == '%' {
		return HashOf(decoded(path, i))
	}
	return HashOf(path[:i])
}

const ones, tops = 0x0101010101010101, 0x8080808080808080

// holds is not 0 when one of the bytes of a word is c: the well-known test for a byte that is zero. The lowest bit that is
// set belongs to the first such byte; those above may be wrong.
func holds(word uint64, c byte) uint64 {
	x := word ^ ones*uint64(c)
	return (x - ones) &^ x & tops
}

// digits is holds for any of the bytes '0' to '9', which are those less than ten when '0' is taken off bit by bit.
func digits(word uint64) uint64 {
	x := word ^ ones*'0'
	return (x - ones*10) &^ x & tops
}

// decoded is a path without its percent escapes, up to its query or fragment; before i there is
// none of these.
func decoded[P []byte | string](path P, i int) []byte {
	text := append(make([]byte, 0, 512), path[:i]...)
	for ; i < len(path); i++ {
		c := path[i]
		switch c {
		case '?', '#':
			return text
		case '%':
			if i+2 < len(path) {
				hi, lo := unhex(path[i+1]), unhex(path[i+2])
				if hi < 16 && lo < 16 {
					c = hi<<4 | lo
					i += 2
				}
			}
		}
		text = append(text, c)
	}
	return text
}

func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 16
}
