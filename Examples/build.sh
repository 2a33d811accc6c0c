#!/usr/bin/env bash
# build.sh: installs what a build needs, builds the programs for release and prints the folder that they are in.
#
# berth and berth-monitor are linked fully static (they start in a millisecond), berthd with Swift's libraries inside.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v swift >/dev/null || { echo "no 'swift' on PATH: install a Swift 6.2 (or later) toolchain first" >&2; exit 1; }
bash Examples/install-packages.sh git pkg-config libc6-dev libstdc++-12-dev zlib1g-dev libisal-dev libzstd-dev libarchive-dev libyaml-dev >&2
for product in berth-monitor berth berthd; do
    BERTH_STATIC=1 swift build -c release --product "$product" >&2
done
BERTH_STATIC=1 swift build -c release --show-bin-path
