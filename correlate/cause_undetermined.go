package correlate

import "gatepost"

var _ = register(Cause{
	Name:  gatepost.Undetermined,
	Title: "undetermined",
	Doc:   "The evidence does not decide. The verdict names the two causes that remain, and the log or setting that would decide between them.",
	Fix:   undeterminedFix,
})

func undeterminedFix(w *world, g *group) []gatepost.Advice {
	if len(g.missing) == 0 {
		return nil
	}
	return []gatepost.Advice{{Do: "give the next report more to go on", Why: "what would have decided stands below"}}
}
