#!/bin/sh
# SPDX-License-Identifier: MIT
# Fails when a file includes a header of a folder that its own folder may not see.
set -eu
root=${1:-.}
cd "$root"
allowed() {
    case $1 in
    base) echo "base" ;;
    state) echo "state base" ;;
    signal) echo "signal state base" ;;
    mmu) echo "mmu signal state base" ;;
    cpu) echo "cpu mmu signal state base" ;;
    jit) echo "jit cpu mmu signal state base" ;;
    plugin) echo "plugin jit cpu mmu signal state base" ;;
    devices) echo "devices mmu signal state base" ;;
    machine) echo "machine devices plugin jit cpu mmu signal state base" ;;
    monitor | main) echo "main monitor machine devices plugin jit cpu mmu signal state base" ;;
    esac
}
# The broker lives in plugin/ but is low: everybody above state may emit.
room_of() {
    case $1 in
    plugin/signal.* | plugin/payload.* | plugin/plugin_api.h) echo signal ;;
    *) echo "${1%%/*}" ;;
    esac
}
bad=0
for file in $(find src -name '*.[ch]' -o -name '*.def' | sort); do
    from=$(room_of "${file#src/}")
    may=$(allowed "$from")
    for header in $(sed -n 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*"\([^"]*\)".*/\1/p' "$file"); do
        case $header in
        */*) to=$(room_of "$header") ;;
        *) echo "$file: include \"$header\" from src/, as \"folder/file.h\"" && bad=1 && continue ;;
        esac
        case " $may " in
        *" $to "*) ;;
        *) echo "$file: '$from' must not include \"$header\" of '$to'" && bad=1 ;;
        esac
    done
done
for file in $(find plugins examples -name '*.[ch]' 2>/dev/null | sort); do
    if grep -nE '#[[:space:]]*include[[:space:]]*["<](base|state|plugin|mmu|cpu|jit|devices|machine|monitor)/' "$file"; then
        echo "$file: a plugin includes <emu/plugin.h> only"
        bad=1
    fi
done
[ "$bad" = 0 ] && echo "layering: every include follows the arrows"
exit "$bad"
