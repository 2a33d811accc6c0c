#!/usr/bin/env bash
# quickstart.sh: from a clean clone to a real Debian in a container.
#
# Installs what it needs (and says what), builds Berth, makes a Debian root file system from Debian's own packages, imports
# it and runs a command in it. Everything that it starts or stores is below one temporary folder and gone when it ends.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" -eq 0 ] || { echo "containers need root here: run  sudo $0" >&2; exit 1; }

echo "== building Berth"
bin=$(bash Examples/build.sh)

echo "== making a Debian root file system from Debian packages"
work=$(mktemp -d /tmp/berth-quickstart.XXXXXX)
finish() {
    if [ -n "${daemon:-}" ]; then
        kill "$daemon" 2>/dev/null && wait "$daemon" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap finish EXIT
bash Examples/debian-tar.sh "$work/debian.tar"

echo "== starting berthd, importing, running"
export DOCKER_HOST=unix://$work/berth.sock
"$bin/berthd" --root "$work/root" --exec-root "$work/run" -H "$DOCKER_HOST" 2>"$work/berthd.log" &
daemon=$!
for _ in $(seq 100); do
    "$bin/berth" version >/dev/null 2>&1 && break
    kill -0 "$daemon" 2>/dev/null || { cat "$work/berthd.log" >&2; exit 1; }
    sleep 0.1
done
set -x
"$bin/berth" import "$work/debian.tar" debian
"$bin/berth" run --rm --network none debian sh -c '. /etc/os-release; echo "Hello from $PRETTY_NAME, process $$ of its own namespace"'
