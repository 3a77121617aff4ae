#!/bin/bash
# SPDX-License-Identifier: MIT
# boot-time.sh [-n RUNS] [EMU [EMU-OPTIONS...]]: wall time from exec to the guest's shell, emu beside QEMU's TCG, on the same
# images in one run, alternating; prints a Markdown table of medians.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
runs=3
if [ "${1:-}" = -n ]; then
    runs=${2:?boot-time.sh: -n needs a number of runs}
    shift 2
fi
emu=${1:-$root/build/emu}
[ $# = 0 ] || shift
command -v "$emu" >/dev/null || { echo "boot-time.sh: $emu: no such program; build it first" >&2; exit 1; }
peer=qemu-system-i386
command -v $peer >/dev/null || { echo "boot-time.sh: $peer is missing (package qemu-system-x86)" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# seconds IMAGE COMMAND...: time until the shell's prompt; the emulator is killed then.
seconds() {
    local image=$1 start end pid
    shift
    cp --sparse=always "$image" "$work/disk.img"
    : >"$work/serial"
    start=$(date +%s%N)
    "$@" -display none -m 256 -hda "$work/disk.img" -serial "file:$work/serial" -monitor null \
        </dev/null >/dev/null 2>"$work/err" &
    pid=$!
    until grep -qF 'guest#' "$work/serial"; do
        kill -0 $pid 2>/dev/null || { echo "boot-time.sh: $1 ended: $(tail -n 1 "$work/err")" >&2; exit 1; }
        [ $((($(date +%s%N) - start) / 1000000000)) -lt 900 ] || { kill -KILL $pid; echo "boot-time.sh: $1: no shell" >&2; exit 1; }
        sleep 0.05
    done
    end=$(date +%s%N)
    kill -KILL $pid
    wait $pid 2>/dev/null || true
    echo "$(((end - start) / 1000000))"
}
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

echo "Boot to the shell, median of $runs, $(date +%F), $(nproc) x $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)"
echo
echo "| image | emu ${*:-} | $peer -accel tcg | ratio |"
echo "|---|---|---|---|"
for spec in "686 syslinux" "686-pae syslinux" "686 grub" "686-pae grub"; do
    kernel=${spec% *} loader=${spec#* }
    image=$("$root/examples/guests/make-disk.sh" --kernel "$kernel" --loader "$loader" 2>/dev/null)
    : >"$work/mine"
    : >"$work/theirs"
    for ((run = 0; run < runs; run++)); do
        seconds "$image" "$emu" "$@" >>"$work/mine"
        seconds "$image" $peer -accel tcg >>"$work/theirs"
    done
    mine=$(median <"$work/mine") theirs=$(median <"$work/theirs")
    awk -v name="$kernel, $loader" -v a="$mine" -v b="$theirs" \
        'BEGIN { printf "| %s | %.2f s | %.2f s | %.2f |\n", name, a / 1000, b / 1000, a / b }'
done
