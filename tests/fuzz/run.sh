#!/bin/bash
# SPDX-License-Identifier: MIT
# run.sh [--seconds N] [--merge] [TARGET...]: builds the fuzz targets (preset `fuzz`) and runs each, or those that are
# named, for N seconds of CPU time (default 60) from its corpus, tests/fuzz/corpus/TARGET. What is new goes to
# build-fuzz/corpus/TARGET. An input that ends in a report, a leak or a hang is kept in tests/fuzz/crashes, its command
# line is printed, and run.sh ends with 1. --merge instead makes the committed corpus anew: the smallest set with the
# coverage of all.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
. "$root/examples/packages.sh"

seconds=60 merge=
targets=()
while [ $# -gt 0 ]; do
    case $1 in
    --seconds) seconds=${2:?--seconds wants a number}; shift ;;
    --merge) merge=1 ;;
    -*) echo "usage: $0 [--seconds N] [--merge] [TARGET...]" >&2; exit 1 ;;
    *) targets+=("$1") ;;
    esac
    shift
done
if [ ${#targets[@]} -eq 0 ]; then
    for source in "$here"/fuzz_*.c; do
        name=${source##*/fuzz_}
        targets+=("${name%.c}")
    done
fi

packages_install $PACKAGES_BUILD clang libclang-rt-14-dev
cd "$root"
[ -n "${FUZZ_BUILT:-}" ] || { cmake --preset fuzz >/dev/null && cmake --build --preset fuzz --target "${targets[@]/#/fuzz_}"; }
export TMPDIR
TMPDIR=$(mktemp -d "${TMPDIR:-/tmp}/emu-fuzz-run.XXXXXX")
trap 'rm -rf "$TMPDIR"' EXIT
export ASAN_OPTIONS=quarantine_size_mb=32 LSAN_OPTIONS=print_suppressions=0
export UBSAN_OPTIONS=print_stacktrace=1

# What libFuzzer gets for each target.
options() {
    local longest=1024
    case $1 in
    devices) longest=2048 ;;
    images | plugin) longest=16384 ;;
    esac
    printf '%s\n' -max_len=$longest -timeout=100 -report_slow_units=100 -rss_limit_mb=1500 -print_funcs=0 -verbosity=1 -reload=0
    [ ! -f "$here/$1.dict" ] || printf '%s\n' "-dict=$here/$1.dict"
}

# cpu_seconds PID: user and system time of a process and of the children it has waited for.
cpu_seconds() {
    local line
    read -r line 2>/dev/null <"/proc/$1/stat" || return 1
    set -- ${line##*) }
    echo $(((${12} + ${13} + ${14} + ${15}) / $(getconf CLK_TCK)))
    [ "$1" != Z ]
}

# run_for SECONDS LOG COMMAND...: ends libFuzzer after that much CPU time; sets `used`.
run_for() {
    local limit=$1 log=$2 now
    shift 2
    (cd "$TMPDIR" && exec "$@") >"$log" 2>&1 &
    local pid=$!
    used=0
    while now=$(cpu_seconds $pid); do
        used=$now
        [ "$now" -lt "$limit" ] || kill -USR1 $pid 2>/dev/null || true
        sleep 1
    done
    wait $pid
}

failed=0
for target in "${targets[@]}"; do
    program=$root/build-fuzz/tests/fuzz/fuzz_$target
    found=$root/build-fuzz/corpus/$target
    corpus=$here/corpus/$target
    log=$root/build-fuzz/$target.log
    mapfile -t options < <(options "$target")
    mkdir -p "$found" "$corpus" "$here/crashes"
    if [ -n "$merge" ]; then
        mkdir "$TMPDIR/merged"
        (cd "$TMPDIR" && "$program" "${options[@]}" -set_cover_merge=1 merged "$corpus" "$found") >"$log" 2>&1 ||
            { tail -n 20 "$log" >&2; exit 1; }
        rm -rf "$corpus"
        mv "$TMPDIR/merged" "$corpus"
        echo "$target: $(find "$corpus" -type f | wc -l) inputs, $(du -sb "$corpus" | cut -f 1) bytes"
        continue
    fi
    good=1
    run_for "$seconds" "$log" "$program" "${options[@]}" -print_final_stats=1 \
        -artifact_prefix="$here/crashes/$target-" "$found" "$corpus" || good=0
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    slow=$(sed -n 's/^stat::slowest_unit_time_sec: *//p' "$log")
    cover=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
    printf '%-9s %6d CPU seconds  %9d inputs  %6s edges  slowest %s s\n' \
        "$target:" "$used" "${runs:-0}" "${cover:-?}" "${slow:-?}"
    if [ $good = 0 ]; then
        failed=1
        grep -m 3 -E 'ERROR:|runtime error|SUMMARY|does not hold|ALARM' "$log" || true
        kept=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
        [ -z "$kept" ] || echo "again: $program $kept"
        echo "log: $log"
    fi
done
exit $failed
