#!/usr/bin/env bash
# Debian packages for amd64 and arm64 into dist/: bash deploy/package.sh
# The same commit gives the same packages, byte for byte.
set -euo pipefail
cd "$(dirname "$0")/.."

# Later versions need modules that are not in every Go proxy; nfpm is no dependency of gatepost, so go.mod does not know it.
nfpm=github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.43.4

bash deploy/build.sh

export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
# v1.2.3 is 1.2.3; what lies behind a tag, or has none, comes before the next version.
export VERSION=${VERSION:-$(git describe --tags --exact-match --match 'v*' 2>/dev/null | sed 's/^v//')}
VERSION=${VERSION:-0.0.0~$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d%H%M%S)}

parts=dist/parts
rm -rf "$parts"
mkdir -p "$parts/completions"
go build -trimpath -o "$parts/gatepost" ./cmd/gatepost # for the machine that builds
"$parts/gatepost" man "$parts/man"
gzip -9n "$parts"/man/*
for shell in bash zsh fish; do
	"$parts/gatepost" completion "$shell" >"$parts/completions/gatepost.$shell"
done
gzip -9nc CHANGELOG.md >"$parts/changelog.gz"

for arch in amd64 arm64; do
	ARCH=$arch go run "$nfpm" package --config deploy/nfpm.yaml --packager deb --target "dist/gatepost_${VERSION}_$arch.deb"
done
