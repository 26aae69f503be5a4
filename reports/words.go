package reports

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"gatepost"
)

// How figures are said: with thousands separators, with their unit, no finer than they are known.

func count[N int | int64](n N) string { return humanize.Comma(int64(n)) }

// counted says a number with its noun: "1 request", "412 requests".
func counted[N int | int64](n N, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + many
}

var smallNumbers = [...]string{"no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"}

// inWords is counted with small numbers as words: "two outages".
func inWords(n int, one, many string) string {
	if n < 0 || n >= len(smallNumbers) {
		return counted(n, one, many)
	}
	if n == 1 {
		return "one " + one
	}
	return smallNumbers[n] + " " + many
}

// percent says a share. It never rounds to nothing or to all what is neither.
func percent(part, of int64) string {
	share := 100 * float64(part) / float64(of)
	switch {
	case part == 0 || of <= 0:
		return "0 %"
	case part >= of:
		return "100 %"
	case share < 0.01:
		return "under 0.01 %"
	case share < 1:
		return fmt.Sprintf("%.2f %%", share)
	}
	return fmt.Sprintf("%.1f %%", min(share, 99.9))
}

// period says how long something took: "250 ms", "6.0 s", "1 min 12 s", "2 h 5 min".
func period(d time.Duration) string {
	if d < 0 {
		if d == math.MinInt64 {
			d++
		}
		return "-" + period(-d)
	}
	switch {
	case d == 0:
		return "0 s"
	case d < time.Millisecond:
		return "under 1 ms"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", d.Truncate(100*time.Millisecond).Seconds()), ".0") + " s"
	case d < time.Hour:
		return twoUnits(d, time.Minute, "min", time.Second, "s")
	case d < 24*time.Hour:
		return twoUnits(d, time.Hour, "h", time.Minute, "min")
	}
	return twoUnits(d, 24*time.Hour, "d", time.Hour, "h")
}

func twoUnits(d, big time.Duration, bigName string, small time.Duration, smallName string) string {
	s := fmt.Sprintf("%d %s", d/big, bigName)
	if rest := d % big / small; rest > 0 {
		s += fmt.Sprintf(" %d %s", rest, smallName)
	}
	return s
}

// ratio makes a confidence fit to be written: within 0 to 1, at most four decimals, never NaN.
func ratio(x float64) float64 {
	if !(x > 0) {
		return 0
	}
	return math.Round(min(x, 1)*1e4) / 1e4
}

// certainty says a confidence in words with the figure, which is rounded down: nothing is made
// to look surer than it is.
func certainty(cause string, confidence float64, state gatepost.State) string {
	c := ratio(confidence)
	word := gatepost.Undetermined
	switch {
	case cause == gatepost.Undetermined:
	case c >= 0.95:
		word = "certain"
	case c >= 0.75:
		word = "likely"
	case c >= 0.5:
		word = "probable"
	}
	s := word + " (" + figure(c) + ")"
	if state == gatepost.Provisional {
		s += ", provisional: later lines may change it"
	}
	return s
}

func figure(confidence float64) string {
	if c := ratio(confidence); c > 0 && c < 0.01 {
		return "under 0.01"
	}
	return fmt.Sprintf("%.2f", math.Floor(ratio(confidence)*100+1e-9)/100)
}

// strength says a weight of evidence (milli-bans) as what it does to the odds. The role says
// which way.
func strength(e *gatepost.Evidence) string {
	bans := math.Abs(float64(e.Weight)) / 1000
	against := e.Role == gatepost.Against
	switch {
	case e.Weight == 0:
		return "it counts neither way"
	case bans > 8 && against:
		return "it rules this cause out"
	case bans > 8:
		return "it settles the matter"
	case against:
		return "it makes this cause " + times(bans) + " times less likely"
	}
	return "it makes this cause " + times(bans) + " times as likely"
}

// times says a factor of so many bans with two digits that count.
func times(bans float64) string {
	factor := math.Pow(10, bans)
	if factor < 10 {
		return fmt.Sprintf("%.1f", factor)
	}
	unit := math.Pow(10, math.Floor(bans)-1)
	return humanize.Comma(int64(math.Round(factor/unit) * unit))
}

var phaseDocs = map[gatepost.Phase]string{
	gatepost.PhaseRefused:        "nobody listened at the upstream's address",
	gatepost.PhasePremature:      "the upstream closed the connection before it answered",
	gatepost.PhaseReset:          "the connection was reset before the request was read",
	gatepost.PhaseConnectTimeout: "no connection to the upstream came about in time",
	gatepost.PhaseHeaderTimeout:  "the proxy gave up waiting for the answer to begin",
	gatepost.PhaseSendTimeout:    "the proxy gave up sending the request",
	gatepost.PhaseBodyTimeout:    "the proxy gave up waiting for the rest of the answer",
	gatepost.PhaseNoLive:         "the proxy had set every upstream aside after earlier failures",
	gatepost.PhaseBacklog:        "the upstream's listen queue was full",
	gatepost.PhaseQueueTimeout:   "every connection that the proxy may open to the upstream was in use",
	gatepost.PhaseProtocol:       "the upstream's answer was not valid HTTP",
	gatepost.PhaseConfig:         "the proxy could not reach the upstream as it is configured",
	gatepost.PhaseUpstreamAnswer: "the upstream itself answered with this status",
	gatepost.PhaseUnknown:        "no line tells in which phase it failed",
}

// sentence makes a sentence of a phrase: a capital at the beginning, a full stop at the end.
func sentence(s string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return ""
	}
	if c := s[0]; 'a' <= c && c <= 'z' && !isName(s) {
		s = string(c-'a'+'A') + s[1:]
	}
	if strings.HasSuffix(s, ".") || strings.HasSuffix(s, "…") || strings.HasSuffix(s, "!") || strings.HasSuffix(s, "?") {
		return s
	}
	return s + "."
}

// isName reports whether a phrase begins with the name of a setting or a file, which keeps its
// small letter.
func isName(s string) bool {
	word, _, _ := strings.Cut(s, " ")
	return strings.ContainsAny(word, "_/.=0123456789") || strings.HasPrefix(word, "nginx")
}

func size(bytes int64) string { return humanize.Bytes(uint64(max(bytes, 0))) }
