#!/bin/bash
# SPDX-License-Identifier: MIT
# run.sh [--cases N] [user_diff options]: every row of the opcode table in every form on the host's CPU, in the interpreter and
# in translated code (docs/proof.md). Default: a million cases. Exit code 1: a difference that explained.tsv does not explain,
# or a form without a case. Needs a compiler that makes 32-bit code; BUILD names the build folder (default build).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=${BUILD:-$here/../../../build}
cmake --build "$build" --target user_diff user_host_program >/dev/null
programs=$build/tests/diff/user
[ $# -gt 0 ] || set -- --cases 1000000
exec nice -n 10 "$programs/user_diff" --host "$programs/user_host" --explained "$here/explained.tsv" "$@"
