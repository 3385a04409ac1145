#!/usr/bin/env bash
# Downloads every wheel of the lock files for CPython 3.11 and 3.13, so that venvs can be made offline.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
target=${1:?usage: wheelhouse.sh DIRECTORY}
mkdir -p "$target"
# A marker such as python_full_version < '3.11.3' must be true for the host that installs, not for this one:
# every wheel that a lock file names is fetched.
unmarked=$(mktemp -d)
trap 'rm -rf "$unmarked"' EXIT
for lock in "$here"/*.txt; do
    sed 's/ ; [^\\]*\\$/ \\/' "$lock" >"$unmarked/lock.txt"
    for version in 3.11 3.13; do
        platforms=()
        for glibc in 2_28 2_27 2_17; do platforms+=(--platform "manylinux_${glibc}_x86_64"); done
        python3 -m pip download --quiet --disable-pip-version-check --require-hashes --no-deps --only-binary=:all: \
            --python-version "$version" --implementation cp "${platforms[@]}" --platform manylinux2014_x86_64 \
            --dest "$target" --requirement "$unmarked/lock.txt"
    done
done
