package gatepost

import "time"

// Source is one stream of lines: a file, a member of an archive, standard input.
type Source struct {
	ID   int    // 1, 2, 3 … in the order of reading; 0 is no source
	Path string // as given by the user, "archive!member" inside an archive
	Host string // machine the log comes from, "" when nothing tells
	// Strand tells which program's lines of the file these are, where several write into one; "" where
	// nothing tells them apart.
	Strand string

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
	// Kept is up to where the entries of this strand are kept, KeptLine the number of the line there. The
	// file may have been read farther: an entry may go on behind those of others.
	Kept     int64
	KeptLine int64

	// Cursor is that of the entry that ends at Position, where this is the journal of the machine: reading goes on behind it.
	Cursor string

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
	// Places tell where the lines of Data stand in the source, when these were taken out of a wrapping;
	// Offset and Line count for nothing then. Nil when Data is the text itself.
	Places []Place
}

// Place is where one line of a Block's Data stands in its source, and what its wrapping tells of it.
type Place struct {
	At    int   // where the line begins in Data
	Ref   Ref   // of the entry that it was wrapped in
	Lines int64 // of that entry
	Time  Time  // when it was written, NoTime when the wrapping does not tell
	PID   int   // who wrote it, 0 when the wrapping does not tell
}
