#!/bin/bash
# SPDX-License-Identifier: MIT
# run.sh [--seconds N | --programs N] [--seed S] [--first N] [--jobs J] [--all-rows] [--program NUMBER]
# Random programs on interpreter and translator, from the build in build/ (or EMU_BUILD). N seconds of CPU time for
# each job. The first program on which they differ is made as short as possible and printed as assembly.
set -euo pipefail
root=$(cd "$(dirname "$0")/../../.." && pwd)
build=${EMU_BUILD:-$root/build}
if [ ! -f "$build/build.ninja" ]; then
    (cd "$root" && cmake --preset release -DEMU_TESTS=ON >/dev/null)
fi
ninja -C "$build" sequence | tail -n 1 >&2
exec "$build/tests/diff/sequence/sequence" "$@"
