#!/bin/bash
# SPDX-License-Identifier: MIT
# out-of-tree.sh SOURCE BUILD: installs the SDK, builds examples/out-of-tree against it (and against
# pkg-config), and runs the plugins in emu while the firmware boots.
set -euo pipefail
source=$1 build=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$build" --prefix "$work/prefix" --component sdk >"$work/log"
cmake -S "$source/examples/out-of-tree" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/prefix" \
    -DCMAKE_C_FLAGS="-Wall -Wextra -Werror" -DCMAKE_CXX_FLAGS="-Wall -Wextra -Werror" >>"$work/log"
cmake --build "$work/build" >>"$work/log" || { cat "$work/log"; exit 1; }

pc=$(find "$work/prefix" -name emu.pc)
flags=$(PKG_CONFIG_PATH=$(dirname "$pc") pkg-config --define-variable=prefix="$work/prefix" --cflags emu)
# shellcheck disable=SC2086
cc -std=c11 -Wall -Wextra -fPIC -shared $flags "$source/examples/out-of-tree/hotspots.c" \
    -o "$work/plugin-by_hand-i386.plugin"

{
    sleep 3
    printf '%s\n' list_plugins vectors hotspots "load_plugin $work/plugin-by_hand-i386.plugin"
    printf '%s\n' "reload_plugin vectors" list_plugins "stop_plugin vectors" "stop_plugin hotspots" quit
} | timeout 60 "$build/emu" -display none -serial null -m 32 -monitor stdio \
    -plugin "$work/build/plugin-hotspots-i386.plugin" -plugin "$work/build/plugin-vectors-i386.plugin" \
    >"$work/out" 2>"$work/err" || { cat "$work/out" "$work/err"; exit 1; }
for text in hotspots vectors 'interrupt 8: ' by_hand; do
    grep -qF -- "$text" "$work/out" || { echo "no '$text' in:"; cat "$work/out" "$work/err"; exit 1; }
done
grep -qE '^[0-9a-f]{8} [0-9]+' "$work/out" || { echo "no hot spots in:"; cat "$work/out"; exit 1; }
echo "out-of-tree: C and C++ plugins build against the installed SDK and run"
