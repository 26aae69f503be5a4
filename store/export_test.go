package store

import (
	"encoding/binary"
	"hash/crc32"
	"slices"

	"gatepost"
)

// Statements are the queries that the package itself makes, for the test of their plans.
var Statements = []string{
	selectSources, findSource, selectEvents, selectChunks, selectChunk,
	selectFailures, selectIncidents, selectEvidence("failure"), selectEvidence("incident"),
}

// Pack makes a chunk.
func Pack(reqs []gatepost.Request) []byte {
	c, err := newCodec()
	if err != nil {
		panic(err)
	}
	return slices.Clone((&packer{codec: c}).pack(reqs))
}

// Unpack reads a chunk whose checksum is made to fit, so that damage gets past it.
func Unpack(data []byte) ([]gatepost.Request, error) {
	data = slices.Clone(data)
	if len(data) > 5 {
		binary.LittleEndian.PutUint32(data[1:], crc32.Checksum(data[5:], crcTable))
	}
	return newUnpacker().(*unpacker).unpack(nil, data, 1, gatepost.LaneNginx)
}
