#!/usr/bin/env bash
# debian-tar.sh FILE: makes a small Debian root file system of the packages that this machine's own apt has.
set -euo pipefail
bash "$(dirname "$0")/install-packages.sh" mmdebstrap ca-certificates
sources=()
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
    [ -s "$file" ] && sources+=("$file")
done
mmdebstrap --quiet --variant=essential "" "$1" "${sources[@]}"
