package main
import ("testing";"bytes";"strings";"os";"context";"time")
func TestZZProf(t *testing.T){
	var so,se bytes.Buffer
	e := env{stdin: strings.NewReader(""), stdout: &so, stderr: &se, now: clock, zone: time.UTC, getenv: func(string) string { return "" }}
	st := time.Now()
	run(context.Background(), e, append([]string{"analyze","--format","ndjson","--output","/dev/null"}, strings.Fields(os.Getenv("PROF"))...))
	t.Log(time.Since(st), se.String())
}
