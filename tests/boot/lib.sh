# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
# Helpers of the boot tests: start the emulator with a time limit, talk to its monitor and serial console, wait for
# output, and end with one line saying what failed. Each test is `bash TEST EMU [arguments]`.
#
# EMU_SPEED multiplies every time limit, for sanitizer builds and slow hosts (default 1). EMU_ACCEL names the executor.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source_root=$(cd "$here/../.." && pwd)
guests=$source_root/examples/guests
emu=${1:?usage: $0 EMULATOR}
shift
case $emu in */*) emu=$(realpath "$emu") ;; esac
work=$(mktemp -d "${TMPDIR:-/tmp}/emu-boot.XXXXXX")
emu_pid=
emu_name=none

cleanup() {
    if [ -n "$emu_pid" ]; then
        kill -KILL "$emu_pid" 2>/dev/null
        wait "$emu_pid" 2>/dev/null
    fi
    [ -n "${EMU_KEEP:-}" ] || rm -rf "$work"
}
trap cleanup EXIT

# The emulator that scripts are tried out with; a few messages and options differ.
is_qemu() { case ${emu##*/} in qemu-*) true ;; *) false ;; esac; }

fail() {
    echo "FAIL: $*" >&2
    for file in "$work/$emu_name".{serial,monitor,err}; do
        [ -s "$file" ] || continue
        echo "--- last lines of ${file##*.}" >&2
        tail -n 15 "$file" | cut -c 1-200 >&2
    done
    exit 1
}
pass() { echo "PASS: $*"; exit 0; }
limit() {
    local slower=1
    [ "${EMU_ACCEL:-}" != lockstep ] || slower=5
    echo $(($1 * ${EMU_SPEED:-1} * slower))
}

# make_image NAME [make-disk.sh options]: a private copy of a cached image, as $work/NAME.img
make_image() {
    local name=$1
    shift
    "$guests/make-disk.sh" "$@" -o "$work/$name.img" >/dev/null 2>"$work/make.log" || {
        cat "$work/make.log" >&2
        fail "no disk image: $(tail -n 1 "$work/make.log")"
    }
}
set_run() { "$guests/set-run.sh" "$@" || fail "set-run.sh $*"; }

# emu_start NAME OPTIONS...: runs the emulator in the background. Its standard input is a pipe that emu_type writes
# to; output goes to $work/NAME.out and NAME.err, the serial console to wherever OPTIONS say.
emu_start() {
    emu_name=$1
    shift
    rm -f "$work/input"
    mkfifo "$work/input"
    (cd "$work" && exec "$emu" -display none ${EMU_ACCEL:+-accel "$EMU_ACCEL"} "$@") <"$work/input" >"$work/$emu_name.out" 2>"$work/$emu_name.err" &
    emu_pid=$!
    exec 7>"$work/input"
}
# Monitor on standard input, serial console to a file.
emu_start_monitor() {
    local name=$1
    shift
    : >"$work/$name.serial"
    emu_start "$name" -serial "file:$work/$name.serial" -monitor stdio "$@"
    ln -sf "$name.out" "$work/$name.monitor"
}
# Serial console on standard input, no monitor.
emu_start_serial() {
    local name=$1
    shift
    emu_start "$name" -serial stdio -monitor null "$@"
    ln -sf "$name.out" "$work/$name.serial"
}
emu_type() { printf '%s\n' "$*" >&7 || fail "the emulator no longer reads its input"; }
emu_alive() { kill -0 "$emu_pid" 2>/dev/null; }

# wait_text KIND TEXT SECONDS: until TEXT (fixed string) is in $work/NAME.KIND
wait_text() {
    local end=$((SECONDS + $(limit "$3")))
    until grep -qF -- "$2" "$work/$emu_name.$1" 2>/dev/null; do
        if ! emu_alive; then
            grep -qF -- "$2" "$work/$emu_name.$1" && return 0
            fail "the emulator ended before '$2' came on the $1"
        fi
        [ $SECONDS -lt $end ] || fail "'$2' did not come on the $1 within $(limit "$3") s"
        sleep 0.1
    done
}
# wait_count KIND TEXT COUNT SECONDS: until TEXT was seen COUNT times
wait_count() {
    local end=$((SECONDS + $(limit "$4")))
    until [ "$(grep -cF -- "$2" "$work/$emu_name.$1")" -ge "$3" ]; do
        emu_alive || fail "the emulator ended before '$2' came $3 times on the $1"
        [ $SECONDS -lt $end ] || fail "'$2' did not come $3 times on the $1 within $(limit "$4") s"
        sleep 0.1
    done
}
has_text() { grep -qF -- "$2" "$work/$emu_name.$1" || fail "'$2' is not on the $1"; }
has_no_text() { ! grep -qF -- "$2" "$work/$emu_name.$1" || fail "'$2' is on the $1"; }

# wait_exit CODE SECONDS: until the emulator ends, with that exit code
wait_exit() {
    local end=$((SECONDS + $(limit "$2"))) code=0
    while emu_alive; do
        [ $SECONDS -lt $end ] || fail "the emulator did not end within $(limit "$2") s"
        sleep 0.1
    done
    wait "$emu_pid" || code=$?
    emu_pid=
    exec 7>&-
    [ "$code" = "$1" ] || fail "exit code $code, not $1"
    ! grep -q '^lockstep:' "$work/$emu_name.err" || fail "lockstep: interpreter and translator differ"
}
monitor_quit() {
    emu_type quit
    wait_exit 0 20
}

# boot_list NAME IMAGE SECONDS [OPTIONS]: boots IMAGE, whose command list ends in power-off, until emu exits 0.
boot_list() {
    local name=$1 image=$2 seconds=$3
    shift 3
    : >"$work/$name.serial"
    emu_start "$name" -serial "file:$work/$name.serial" -monitor null -hda "$image" "$@"
    wait_exit 0 "$seconds"
    has_text serial "RUN END status 0"
}

# hash_of FILE
hash_of() { sha256sum "$1" | cut -c 1-64; }

# refuses TEXT OPTIONS...: emu must exit 1 with exactly one line on standard error, which holds TEXT.
refuses() {
    local text=$1 code=0
    shift
    timeout "$(limit 20)" "$emu" -display none -serial null -monitor null "$@" \
        </dev/null >"$work/refused.out" 2>"$work/refused.err" || code=$?
    local lines
    lines=$(wc -l <"$work/refused.err")
    if [ "$code" != 1 ] || [ "$lines" != 1 ] || ! grep -qF -- "$text" "$work/refused.err"; then
        cat "$work/refused.err" >&2
        echo "FAIL: $*: exit code $code with $lines lines; wanted 1 and one line naming '$text'" >&2
        refused_wrong=$((refused_wrong + 1))
    fi
}
refused_wrong=0
