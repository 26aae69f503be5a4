// Package gatepost is the vocabulary of the gateway post-mortem: the words that every box of
// the program speaks. It holds types and no behaviour to speak of, imports the standard library
// only, and does no I/O.
//
// A log line walks through the house like this:
//
//	file ── parser/source ──Block──▶ parser ──Batch──▶ store ──Event, Request──▶ correlate
//	                                                     ▲                          │
//	                                                     └──────── Verdict ─────────┘
//	                                                     └── Model ──▶ reports
//
// A [Block] is a run of whole records of one [Source]. A format makes of it a [Batch]: every
// request as a fixed-size [Request] (the lane of ordinary requests), and whatever can matter to a
// verdict as an [Event] (the lane of notable events). The correlator makes a [Failure] of every
// failing request, gives it one [Verdict] with its [Evidence], and groups failures into
// [Incident]s. A [Model] is what a report draws, and a [Night] what a page draws beside it.
package gatepost
