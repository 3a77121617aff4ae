#!/bin/bash
# SPDX-License-Identifier: MIT
# tutorial.sh SOURCE BUILD: compiles each listing of docs/writing-plugins.md, loads all into one emu
# while the firmware boots, and looks at what they print.
set -euo pipefail
source=$1 build=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
awk -v dir="$work" '
    /^<!-- snippet: / { file = dir "/" $3 }
    /^```c$/ && file { writing = 1; next }
    /^```$/ { if (writing) { close(file); file = ""; writing = 0 } }
    writing { print > file }' "$source/docs/writing-plugins.md"
count=0
for file in "$work"/*.c; do
    name=$(basename "$file" .c)
    cc -std=c11 -Wall -Wextra -Werror -fPIC -shared -I"$build/sdk" "$file" -o "$work/plugin-$name-i386.plugin"
    count=$((count + 1))
done
[ "$count" = 5 ] || { echo "$count listings instead of 5"; exit 1; }
{
    sleep 3
    printf '%s\n' "greet" "greet there" percount quit
} | EMU_PLUGIN_PATH=$work timeout 60 "$build/emu" -display none -serial null -m 32 -monitor stdio \
    -plugin hello,listen -plugin greet,name=World,stores,percount >"$work/out" 2>"$work/err" ||
    { cat "$work/out" "$work/err"; exit 1; }
for text in 'hello: hello' 'hello, World' 'hello, there' ' to 000b8'; do
    grep -qF -- "$text" "$work/out" || { echo "no '$text' in:"; head -50 "$work/out"; cat "$work/err"; exit 1; }
done
grep -qE '^00000000 [0-9]{5,}' "$work/out" || { echo "no instructions counted:"; tail "$work/out"; exit 1; }
echo "tutorial: $count listings compile and run"
