#!/bin/bash
# SPDX-License-Identifier: MIT
# build-guest.sh FILE: compiles the benchmark program, a static i386 binary for the guests and for this host.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
output=${1:?usage: build-guest.sh FILE}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for source in "$here"/guest/*.c; do
    name=$(basename "$source" .c)
    case $name in
    x87) flags="-march=i686 -mfpmath=387 -mno-sse" ;;
    sse | packed) flags="-march=i686 -msse2 -mfpmath=sse" ;;
    *) flags="-march=i686 -mfpmath=387" ;;
    esac
    # shellcheck disable=SC2086
    gcc -m32 -std=gnu17 -O2 -fno-stack-protector -fcf-protection=none -fno-pie -Wall -Wextra -Wshadow -Werror $flags \
        -c -o "$work/$name.o" "$source" || {
        echo "build-guest.sh: $source does not compile; are gcc and gcc-multilib installed?" >&2
        exit 1
    }
done
gcc -m32 -static -no-pie -o "$work/bench" "$work"/*.o
mv "$work/bench" "$output"
