package reports

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"gatepost"
)

// The pictures of a page are SVG, made here. What has a length in time is drawn into an inner <svg> that is one unit wide for
// each step and stretched to the width of the page; what is written stands outside it, at so many percent, and is not stretched.

// strip is one row of the picture of the night.
type strip struct {
	ID     string
	Title  string
	Note   string // what is counted, and its most
	Height int    // pixels
	Marks  []mark
	Limit  *limit
	Keys   []key
	Says   string // for those who do not see it
}

// mark is a shape; Hue is the colour's name.
type mark struct{ Class, Path string }

// limit is a thin line with its name.
type limit struct {
	Y    int
	Name string
}

// key says which cause a colour stands for.
type key struct{ Hue, Name, Figure string }

// steps draws a series as an area of steps that is h high where a value is top. Neighbours of one height are one step.
func steps(values []float64, top float64, h int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "M0 %d", h)
	at, width := h, 0
	flush := func() {
		if width > 0 {
			fmt.Fprintf(&b, "h%d", width)
		}
		width = 0
	}
	for _, v := range values {
		y := h - scaled(v, top, h)
		if y != at {
			flush()
			fmt.Fprintf(&b, "v%d", y-at)
			at = y
		}
		width++
	}
	flush()
	fmt.Fprintf(&b, "V%dz", h)
	return b.String()
}

// stepLine draws a series as a line of steps, broken where a value is negative.
func stepLine(values []float64, top float64, h int) string {
	var b strings.Builder
	at, width, drawn := 0, 0, false
	for i, v := range values {
		if v < 0 {
			if width > 0 {
				fmt.Fprintf(&b, "h%d", width)
			}
			width, drawn = 0, false
			continue
		}
		y := h - scaled(v, top, h)
		if !drawn || y != at {
			if width > 0 {
				fmt.Fprintf(&b, "h%d", width)
			}
			if drawn {
				fmt.Fprintf(&b, "v%d", y-at)
			} else {
				fmt.Fprintf(&b, "M%d %d", i, y)
			}
			at, width, drawn = y, 0, true
		}
		width++
	}
	if width > 0 {
		fmt.Fprintf(&b, "h%d", width)
	}
	return b.String()
}

// scaled is the height of a value in pixels; what is not nothing is seen.
func scaled(v, top float64, h int) int {
	if v <= 0 || top <= 0 {
		return 0
	}
	return max(1, min(h, int(v/top*float64(h)+0.5)))
}

// stack draws one series on top of others, whose heights are in base and grow by it, in bars so many steps wide.
func stack(values []int, base []int, top, h int, width string) string {
	var b strings.Builder
	for i, n := range values {
		if n == 0 {
			continue
		}
		low := scaled(float64(base[i]), float64(top), h)
		high := max(scaled(float64(base[i]+n), float64(top), h), low+1)
		base[i] += n
		fmt.Fprintf(&b, "M%d %dh%sv%dh-%sz", i, h-low, width, low-high, width)
	}
	return b.String()
}

// band is the time of an incident behind the picture.
type band struct {
	ID, Hue, Says string
	Link          string  // to what the page tells of it
	From, Width   float64 // in steps
	At            string  // percent, where its name begins
	Name          string  // of its cause, "" where there is no room
	Shown         bool    // there is room for its ID
	Narrow        bool    // on a telephone too
}

// tick is a time that is written under the picture.
type tick struct {
	At     string // percent
	Step   float64
	Label  string
	Narrow bool
}

// axis places times in a picture of n steps.
type axis struct {
	from gatepost.Time
	step time.Duration
	n    int
}

func (a axis) at(t gatepost.Time) float64 {
	return min(max(float64(t.Sub(a.from))/float64(a.step), 0), float64(a.n))
}

func (a axis) percent(t gatepost.Time) string { return percentOf(a.at(t), float64(a.n)) }

func percentOf(x, of float64) string {
	return strconv.FormatFloat(100*x/of, 'f', 2, 64) + "%"
}

// tickSteps are what a clock is divided by.
var tickSteps = []time.Duration{
	time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute,
	10 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 48 * time.Hour, 7 * 24 * time.Hour,
}

// maxTicks is how many times have room under a picture.
const maxTicks = 13

// ticks are the times to write under a picture. Where a step is a day or more they tell the day.
func (a axis) ticks(zone *time.Location) []tick {
	span := a.step * time.Duration(a.n)
	each := tickSteps[len(tickSteps)-1]
	for _, d := range tickSteps {
		if span/d < maxTicks {
			each = d
			break
		}
	}
	layout := "15:04"
	switch {
	case each < time.Minute:
		layout = "15:04:05"
	case each >= 24*time.Hour:
		layout = "2 Jan"
	}
	var all []tick
	_, east := a.from.Std().In(zone).Zone()
	local := time.Duration(a.from.Add(time.Duration(east) * time.Second))
	for t := a.from.Add((each - local%each) % each); a.at(t) < float64(a.n); t = t.Add(each) {
		at := a.at(t) / float64(a.n)
		if at < 0.015 || at > 0.985 {
			continue // half of it would be cut off
		}
		all = append(all, tick{At: a.percent(t), Step: a.at(t), Label: t.Std().In(zone).Format(layout), Narrow: len(all)%3 == 1})
	}
	return all
}

// bands are the incidents behind a picture, by time, with their names where these have room.
func (a axis) bands(incidents []gatepost.Incident, name func(*gatepost.Incident) (label, says string)) []band {
	const letter, narrowLetter = 0.0068, 0.021 // of the width that a letter takes
	var all []band
	free, narrowFree := 0.0, 0.0
	for i := range incidents {
		in := &incidents[i]
		if !known(in.From) || !known(in.To) {
			continue
		}
		from := a.at(in.From)
		label, says := name(in)
		b := band{ID: in.ID, Hue: causeHue(in.Cause), Says: says, From: from, Width: max(a.at(in.To)-from, 0.2)}
		at := from / float64(a.n)
		id := float64(columns(in.ID)+1) * letter
		// At the right end it must still fit in.
		at = min(at, 1-id)
		b.At = percentOf(at, 1)
		if at >= free {
			b.Shown = true
			room := 1.0
			for j := i + 1; j < len(incidents); j++ {
				if known(incidents[j].From) {
					room = max(a.at(incidents[j].From)/float64(a.n), at)
					break
				}
			}
			if width := id + float64(columns(label)+2)*letter; at+width <= room {
				b.Name = label
				id = width
			}
			free = at + id
		}
		if width := float64(columns(in.ID)+1) * narrowLetter; b.Shown && at >= narrowFree && at+width <= 1 {
			b.Narrow = true
			narrowFree = at + width
		}
		all = append(all, b)
	}
	return all
}

// number writes a coordinate as short as it is exact enough.
func number(x float64) string {
	return strings.TrimSuffix(strings.TrimRight(strconv.FormatFloat(x, 'f', 2, 64), "0"), ".")
}
