#!/usr/bin/env bash
# Static binaries for Linux on amd64 and arm64, with their checksums, into dist/: bash deploy/build.sh
set -euo pipefail
cd "$(dirname "$0")/.."

mkdir -p dist
for arch in amd64 arm64; do
	CGO_ENABLED=0 GOOS=linux GOARCH=$arch go build -trimpath -buildvcs=auto -ldflags '-s -w' -o "dist/gatepost-linux-$arch" ./cmd/gatepost
done
cd dist
sha256sum gatepost-linux-* >SHA256SUMS
cat SHA256SUMS
