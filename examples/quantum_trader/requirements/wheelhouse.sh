#!/usr/bin/env bash
# Downloads every wheel of the lock files for CPython 3.11 and 3.13, so that venvs can be made offline.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
target=${1:?usage: wheelhouse.sh DIRECTORY}
mkdir -p "$target"
for lock in "$here"/*.txt; do
    for version in 3.11 3.13; do
        python3 -m pip download --quiet --disable-pip-version-check --require-hashes --only-binary=:all: \
            --python-version "$version" --implementation cp --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 --platform manylinux_2_17_x86_64 \
            --platform manylinux2014_x86_64 --platform manylinux1_x86_64 --dest "$target" --requirement "$lock"
    done
done
