#!/bin/sh
# SPDX-License-Identifier: MIT
# Fails when a C file is not as .clang-format says (by the version of Debian 12; without it the test is skipped). To
# mend a file: clang-format -i FILE; tables stand between `// clang-format off` and `// clang-format on`.
set -eu
cd "${1:-.}"
format=$(command -v clang-format-14) || { echo "clang-format-14 is not installed: skipped"; exit 77; }
find examples plugins src tests -name '*.[ch]' -print0 | xargs -0 -n 50 -P 2 "$format" --dry-run --Werror
