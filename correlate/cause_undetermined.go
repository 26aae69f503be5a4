package correlate

import "gatepost"

var _ = register(Cause{
	Name:  gatepost.Undetermined,
	Title: "undetermined",
	Doc:   "The evidence does not decide. The verdict names the two causes that remain, and the log or setting that would decide between them.",
	Fix:   undeterminedFix,
})

func undeterminedFix(s *scene, g *group) []gatepost.Advice {
	var a []gatepost.Advice
	for _, m := range g.missing() {
		a = append(a, gatepost.Advice{Do: "give the next report more to go on", Why: m})
	}
	return a
}
