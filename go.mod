module gatepost

go 1.26.0

require (
	github.com/dustin/go-humanize v1.1.0 // indirect
	golang.org/x/text v0.43.0 // indirect
	golang.org/x/tools v0.52.0 // indirect
)
