#!/bin/bash
# SPDX-License-Identifier: MIT
# run.sh [--programs N] [--first N] [--peers "bochs qemu"] [--machine emu|emu:jit] [--slice N] [--keep FOLDER] [--third MACHINE]:
# compares emu with its peers on N programs, in slices, and stops at nothing. Exit code 1 when a difference is not in explained.tsv.
# With --keep the peers' outcomes stay in the folder, and an interrupted or repeated run takes them from there.
# EMU names the program (default build/emu). Needs python3, nasm (for ndisasm), gcc -m32, qemu-system-x86, bochs, bochsbios.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
programs=20000 first=0 peers="bochs qemu" machine=emu slice=10000 more=()
while [ $# -gt 1 ]; do
    case $1 in
    --programs) programs=$2 ;;
    --first) first=$2 ;;
    --peers) peers=$2 ;;
    --machine) machine=$2 ;;
    --slice) slice=$2 ;;
    --keep | --third) more+=("$1" "$2") ;;
    *) sed -n '3,6s/^# //p' "$0" >&2; exit 2 ;;
    esac
    shift 2
done
export EMU=${EMU:-$here/../../../build/emu}
image=$(mktemp)
trap 'rm -f "$image"' EXIT
"$here/build.sh" "$image"
status=0
for peer in $peers; do
    for ((at = first; at < first + programs; at += slice)); do
        count=$((first + programs - at < slice ? first + programs - at : slice))
        echo "== $peer: programs $at to $((at + count - 1))"
        nice -n 10 "$here/diff.py" --image "$image" --first "$at" --programs "$count" --stall 4 "${more[@]}" "$machine" "$peer" || status=1
    done
done
exit $status
