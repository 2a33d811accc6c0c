#!/usr/bin/env bash
# debian-tar.sh FILE [PACKAGE...]: makes a small Debian root file system, with these packages, of what this machine's own apt has.
set -euo pipefail
bash "$(dirname "$0")/install-packages.sh" mmdebstrap ca-certificates
file=$1; shift
include=$(IFS=,; echo "$*")
sources=()
for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
    [ -s "$list" ] && sources+=("$list")
done
# A mirror that fails once is asked again.
for attempt in 1 2 3 4; do
    mmdebstrap --quiet --variant=essential --aptopt='Acquire::Retries "5"' ${include:+--include="$include"} "" "$file" "${sources[@]}" && exit 0
    rm -f "$file"
    echo "debian-tar.sh: attempt $attempt failed" >&2
done
echo "debian-tar.sh: no Debian could be made of the packages that apt has" >&2
exit 1
