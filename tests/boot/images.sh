#!/bin/bash
# SPDX-License-Identifier: MIT
# Makes every image that the boot tests use, once.
set -e
guests=$(cd "$(dirname "$0")/../../examples/guests" && pwd)
for kernel in 686 686-pae; do
    "$guests/make-disk.sh" --kernel "$kernel"
done
"$guests/make-disk.sh" --loader grub
# An image that cannot be made says why, in one line.
for wrong in "--kernel 486" "--loader lilo" "--size 5" "--size big" "--nonsense" "--kernel"; do
    if message=$("$guests/make-disk.sh" $wrong 2>&1 >/dev/null); then
        echo "FAIL: make-disk.sh $wrong was accepted"
        exit 1
    fi
    [ "$(printf '%s\n' "$message" | wc -l)" = 1 ] || { echo "FAIL: $wrong: $message"; exit 1; }
done
empty=$(mktemp -d)
trap 'rm -rf "$empty"' EXIT
if message=$(XDG_CACHE_HOME=$empty EMU_DEBIAN_MIRROR=http://127.0.0.1:9/debian EMU_PACKAGES_ATTEMPTS=1 \
    "$guests/make-disk.sh" 2>&1 >/dev/null); then
    echo "FAIL: make-disk.sh made an image from an archive that does not exist"
    exit 1
fi
case $message in
*"could not fetch the package index http://127.0.0.1:9/debian"*) ;;
*) echo "FAIL: unclear about a missing archive: $message"; exit 1 ;;
esac
echo "PASS: images are made, wrong requests are refused"
