#!/bin/bash
# SPDX-License-Identifier: MIT
# run.sh [ctest options]: installs what the tests need, builds, and runs all tests but the slow ones. The last lines
# are ctest's summary. For example `tests/run.sh -L unit`, `tests/run.sh -R boot.disk`.
#
# EMU_PRESET chooses another preset of CMakePresets.json, for example debug for ASan and UBSan.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/examples/packages.sh"
preset=${EMU_PRESET:-release}

packages_install $PACKAGES_BUILD $PACKAGES_GUEST $PACKAGES_TEST
cd "$root"
cmake --preset "$preset" -DEMU_TESTS=ON
cmake --build --preset "$preset"
exec ctest --preset "$preset" -LE slow -j "${EMU_JOBS:-$(nproc)}" "$@"
