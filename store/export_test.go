package store

import (
	"context"
	"encoding/binary"
	"hash/crc32"
	"regexp"
	"slices"
	"strconv"

	"gatepost"
)

// Statements are what the package itself asks and changes, by a name for each. What it inserts has no
// plan.
func Statements() [][2]string {
	all := [][2]string{
		{"what a file is", selectIdentity},
		{"all sources", selectSources},
		{"the source with a head", findSource},
		{"what the writer must know of a source", selectState},
		{"save a source", updateSource},
		{"fill up a chunk", updateChunk},
		{"the seconds of a source", selectSeconds},
		{"all gaps", selectGaps},
		{"a log was not lost", forgetLost},
		{"the unknown lines of a source", selectUnknownOf},
		{"forget the unknown lines of a source", forgetUnknown},
		{"a page of events, of some kinds or of all", selectEvents},
		{"the chunks of some hours, of some lanes or of all", selectChunks},
		{"a chunk", selectChunk},
		{"how many requests whole chunks have", countWhole},
		{"the chunks at the edges of some hours", selectEdge},
		{"how many notable access lines have some statuses", countEvents},
		{"all routes", selectRoutes},
		{"how often each status", selectStatuses},
		{"the settings", selectSettings},
		{"forget the settings", "DELETE FROM _settings"},
		{"whether there are verdicts", selectComplete},
		{"whether the verdicts are complete from now on", markComplete},
		{"all failures", selectFailures},
		{"the failures of a time", selectFailuresOf},
		{"the failures of a time by cause", selectCauses},
		{"a failure", selectFailure},
		{"an argument", selectEvidence},
		{"the incidents of a time", selectIncidents},
		{"the text of a line", selectLine},
		{"what was asked for", selectScope},
		{"keep what is asked for", updateScope},
		{"what was judged", selectJudged},
		{"whether anything was", countJudged},
		{"cut what was judged before a time", cutBefore},
		{"cut what was judged behind it", cutBehind},
		{"what is judged anew", dropJudged},
		{"failures that are judged anew", dropFailures},
		{"incidents that are found anew", dropIncidents},
		{"outages that are found anew", dropOutages},
		{"silences that are found anew", dropGaps},
		{"count what is left of an incident", countIncident},
		{"the last number of an incident", selectLastIncident},
		{"the last rows of verdicts", selectLastRows},
		{"the key of stand-ins", selectRedactionKey},
		{"logs that were passed", selectPassed},
		{"the columns of all views", selectViewColumns},
		{"what lies beneath redacted views", selectBeneath},
		{"prune the incidents", pruneIncidents},
		{"prune the failures", pruneFailures},
		{"prune the silences", pruneGaps},
		{"prune what was lost", pruneLost},
		{"prune what was judged", pruneJudged},
		{"cut what was judged", cutOld},
		{"prune the arguments", pruneArguments},
		{"prune the evidence", pruneEvidence},
		{"prune the symptoms", pruneSymptoms},
		{"up to where events are old", selectOldEnd},
		{"prune the events of a source", pruneEvents},
		{"prune its seconds", pruneSeconds},
		{"prune those of Odoo's", pruneBeats},
		{"its chunks that may be old", selectOld},
		{"prune a chunk", pruneChunk},
		{"count a status less often", uncountStatus},
		{"prune its statuses", pruneStatuses},
		{"when its first access line was", updateStatuses},
		{"prune what has no time", pruneUndated},
		{"prune what was not understood", pruneUnparsed},
		{"prune lines that were cited", pruneLines},
		{"how much of a file is free", selectFree},
	}
	for _, table := range verdictTables {
		all = append(all, [2]string{"forget what is in " + table, "DELETE FROM " + table})
	}
	return all
}

// Explain returns SQLite's plan of one of the Statements, which Query would refuse or has no values
// for. What a parameter is bound to makes no difference.
func (s *Store) Explain(ctx context.Context, statement string) ([][]any, error) {
	var unbound []any
	for _, mark := range regexp.MustCompile(`\?\d*`).FindAllString(statement, -1) {
		n, err := strconv.Atoi(mark[1:])
		if err != nil {
			n = len(unbound) + 1
		}
		for len(unbound) < n {
			unbound = append(unbound, nil)
		}
	}
	rows, err := s.w.conn.QueryContext(ctx, "EXPLAIN QUERY PLAN "+statement, unbound...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var plan [][]any
	for rows.Next() {
		row, err := scanRow(rows, 4)
		if err != nil {
			return nil, err
		}
		plan = append(plan, row)
	}
	return plan, rows.Err()
}

// Pack makes a chunk.
func Pack(reqs []gatepost.Request) []byte {
	c := newColumns()
	c.add(reqs)
	return slices.Clone((&packer{codec: newCodec()}).pack(c))
}

// Unpack reads a chunk whose checksum is made to fit, so that damage gets past it.
func Unpack(data []byte) ([]gatepost.Request, error) {
	data = slices.Clone(data)
	if len(data) > 5 {
		binary.LittleEndian.PutUint32(data[1:], crc32.Checksum(data[5:], crcTable))
	}
	return newUnpacker().(*unpacker).unpack(nil, data, 1, gatepost.LaneNginx)
}
