#!/bin/sh
# After the package was installed or removed: systemd reads its units. None is started: that is for who knows when and where to.
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
fi
