package gatepost

import "time"

// Source is one stream of lines: a file, a member of an archive, standard input.
type Source struct {
	ID   int    // 1, 2, 3 … in the order of reading; 0 is no source
	Path string // as given by the user, "archive!member" inside an archive
	Host string // machine the log comes from, "" when nothing tells

	Format  string // name of the format, "" when it was not recognised
	Dialect string // which variant of the format: a log_format, a log_line_prefix

	Bytes    int64 // size of the text, uncompressed
	Lines    int64 // physical lines
	Requests int64 // lines that became requests of the ordinary lane
	Events   int64 // records that became notable events
	Unparsed int64 // lines that fit nothing

	First, Last Time // raw stamps, NoTime when no line is dated
	Stamps      Stamps
	Resolution  time.Duration // of the stamps: one second, one millisecond …
	Clock       Clock

	// How far the source has been read, and how to know it again wherever it lies by then: the
	// hash of its first HeadSize bytes, and of the TailSize bytes before Position.
	Position     int64
	PositionLine int64 // number of the line that begins at Position
	HeadSize     int
	Head         uint64
	TailSize     int
	Tail         uint64

	// Problem is why reading stopped before the end, "" when all was read.
	Problem string
}

// Ref points at the bytes of one record. Offset counts in the uncompressed text.
type Ref struct {
	Source int
	Offset int64
	Length int // bytes, without the last newline
	Line   int64
}

// Known reports whether r points at anything.
func (r Ref) Known() bool { return r.Source != 0 }

// Block is a run of whole records of one source: it begins where a record begins and ends with
// the end of a record. Data belongs to whoever made the Block and may be reused as soon as Parse
// returns; a format copies what it keeps.
type Block struct {
	Source int
	Offset int64 // of Data[0] in the uncompressed text
	Line   int64 // 1-based number of the first line
	Data   []byte
}
