#!/usr/bin/env bash
# Debian packages for amd64 and arm64 into dist/: bash deploy/package.sh
# The same commit gives the same packages, byte for byte. It takes dpkg-deb, which every Debian has.
set -euo pipefail
cd "$(dirname "$0")/.."

bash deploy/build.sh

export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
# v1.2.3 is 1.2.3; what lies behind a tag, or has none, comes before the next version.
version=${VERSION:-$(git describe --tags --exact-match --match 'v*' 2>/dev/null | sed 's/^v//' || true)}
version=${version:-0.0.0~$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d%H%M%S)}

own=dist/gatepost-linux-$(dpkg --print-architecture) # the commands tell their own manual and completions
for arch in amd64 arm64; do
	root=dist/root-$arch
	rm -rf "$root"
	share=$root/usr/share
	doc=$share/doc/gatepost
	install -Dm755 "dist/gatepost-linux-$arch" "$root/usr/bin/gatepost"
	install -Dm644 -t "$root/usr/lib/systemd/system" deploy/gatepost-*.service deploy/gatepost-*.timer
	install -d "$share/man/man1"
	"$own" man "$share/man/man1"
	gzip -9n "$share"/man/man1/*
	install -d "$share/bash-completion/completions" "$share/zsh/vendor-completions" "$share/fish/vendor_completions.d"
	"$own" completion bash >"$share/bash-completion/completions/gatepost"
	"$own" completion zsh >"$share/zsh/vendor-completions/_gatepost"
	"$own" completion fish >"$share/fish/vendor_completions.d/gatepost.fish"
	install -Dm644 deploy/gatepost.cron "$doc/examples/gatepost.cron"
	install -Dm644 LICENSE "$doc/copyright"
	install -Dm644 -t "$doc" README.md
	install -Dm644 -t "$doc/docs" docs/*.md docs/*.png
	gzip -9nc CHANGELOG.md >"$doc/changelog.gz"
	install -Dm755 deploy/reload.sh "$root/DEBIAN/postinst"
	install -Dm755 deploy/reload.sh "$root/DEBIAN/postrm"
	cat >"$root/DEBIAN/control" <<-END
		Package: gatepost
		Version: $version
		Architecture: $arch
		Section: admin
		Priority: optional
		Maintainer: the gatepost authors <gatepost@localhost>
		Suggests: default-mta | mail-transport-agent
		Installed-Size: $(du -k --apparent-size -s "$root" | cut -f1)
		Description: why did my users get a 502 or a 504?
		 gatepost reads the logs that nginx, HAProxy or Traefik, Odoo, the kernel,
		 systemd and PostgreSQL already write, gives every failing request one root
		 cause with the lines that prove it, and says what to change.
	END
	chmod -R u=rwX,go=rX "$root"
	dpkg-deb --root-owner-group --build "$root" "dist/gatepost_${version}_$arch.deb"
	rm -rf "$root"
done
