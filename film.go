package gatepost

// Film shows who held the workers while requests of an incident waited or died.
type Film struct {
	From, To Time
	Rows     []FilmRow // a worker each, by its birth
}

// Column returns the column of t when the film is drawn in n columns; it may lie outside.
func (f *Film) Column(t Time, n int) int {
	return int(int64(t-f.From) * int64(n) / max(1, int64(f.To-f.From)))
}

// FilmRow is one worker's life within a Film.
type FilmRow struct {
	PID      int
	From, To Time // its life, cut to the film
	Killed   bool // it did not end in good order at To
	Busy     []FilmSpan
}

// FilmSpan is a time in which a worker executed one request.
type FilmSpan struct {
	From, To Time
	Cause    string // why the request was slow; "" for ordinary work
	Failed   bool   // nginx had given up on it, or its worker died
}
