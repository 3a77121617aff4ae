#!/bin/bash
# SPDX-License-Identifier: MIT
# start.sh [-n RUNS] [EMU [EMU-OPTIONS...]]: what emu costs before the guest does anything, and beside the guest.
#
# start: from exec to the end of a process whose firmware's first instruction leaves through isa-debug-exit: the way to
# the first BIOS instruction, and the process's end. Medians of wall and CPU time.
# memory: proportional set size (a page mapped twice counts once) after the boot to the shell, without the guest's RAM.
# Exit status 1 when a median of CPU time is above 20 ms, or the memory above 40 MiB.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
runs=21
if [ "${1:-}" = -n ]; then
    runs=${2:?start.sh: -n needs a number of runs}
    shift 2
fi
emu=${1:-$root/build/emu}
[ $# = 0 ] || shift
command -v "$emu" >/dev/null || { echo "start.sh: $emu: no such program; build it first" >&2; exit 1; }
work=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill -KILL $pid 2>/dev/null || true; rm -rf "$work"' EXIT
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

# MOV AL, 42; OUT F4h, AL at the reset vector, FFFFFFF0h.
head -c $((65536 - 16)) /dev/zero >"$work/rom"
printf '\xb0\x2a\xe6\xf4\xf4\0\0\0\0\0\0\0\0\0\0\0' >>"$work/rom"
: >"$work/wall"
: >"$work/cpu"
TIMEFORMAT='%R %U %S'
for ((run = 0; run < runs; run++)); do
    { time { code=0; "$emu" "$@" -display none -m 256 -bios "$work/rom" -serial null -monitor null \
        -device isa-debug-exit,iobase=0xf4,iosize=0x04 </dev/null >/dev/null 2>"$work/err" || code=$?; }; } 2>"$work/time"
    [ $code = 85 ] || { echo "start.sh: exit code $code, not 85: $(tail -n 1 "$work/err")" >&2; exit 1; }
    awk '{ print $1 * 1000 }' "$work/time" >>"$work/wall"
    awk '{ print ($2 + $3) * 1000 }' "$work/time" >>"$work/cpu"
done

image=$("$root/examples/guests/make-disk.sh" 2>/dev/null)
cp --sparse=always "$image" "$work/disk.img"
: >"$work/serial"
"$emu" "$@" -display none -m 256 -hda "$work/disk.img" -serial "file:$work/serial" -monitor null </dev/null >/dev/null \
    2>"$work/err" &
pid=$!
for ((i = 0; i < 6000; i++)); do
    grep -qF 'guest#' "$work/serial" && break
    kill -0 $pid 2>/dev/null || { echo "start.sh: emu ended: $(tail -n 1 "$work/err")" >&2; exit 1; }
    sleep 0.1
done
grep -qF 'guest#' "$work/serial" || { echo "start.sh: no shell" >&2; exit 1; }
# The guest's RAM is all that is mapped with its size, perhaps in several places, and pieces of its file in the window.
awk '/^[0-9a-f]+-[0-9a-f]+ / { ram = /memfd:emu-ram/ }
    /^Size:/ { ram = ram || $2 == 256 * 1024 }
    /^Pss:/ { if (ram) guest += $2; else beside += $2 }
    END { printf "%.1f %.1f\n", beside / 1024, guest / 1024 }' "/proc/$pid/smaps" >"$work/memory"
read -r beside guest <"$work/memory"
kill -KILL $pid
wait $pid 2>/dev/null || true
pid=

wall=$(median <"$work/wall") cpu=$(median <"$work/cpu")
echo "emu ${*:-}, $(date +%F), $(nproc) x $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)"
echo "start: $wall ms, $cpu ms of CPU time (medians of $runs)"
echo "memory: $beside MiB beside $guest MiB of the guest's RAM"
awk -v cpu="$cpu" -v beside="$beside" 'BEGIN { exit !(cpu <= 20 && beside <= 40) }'
