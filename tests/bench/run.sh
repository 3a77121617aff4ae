#!/bin/bash
# SPDX-License-Identifier: MIT
# The benchmark: see docs/benchmarks.md.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
. "$root/examples/packages.sh"

usage() {
    cat <<'TEXT'
usage: tests/bench/run.sh [options]

Runs one program natively and in the same disk image in emu and its peers, and prints tables of medians.

  --emu FILE          the emulator (default build/emu)
  --accel LIST        emu's executors, for example jit,interp (default: jit where the program has it)
  --peers LIST        qemu, v86, none (default qemu,v86; one that is not installed is left out with a line)
  --only LIST         workloads or groups (int, fp, system) instead of all
  --rounds N          repetitions (default 3)
  --boots N           boots of each contestant that are timed (default as --rounds)
  --quick             a quarter of the work, one repetition
  --smoke             the least work, natively and in emu only, to check the checksums
  --scale NAME=F      multiplies a contestant's amount of work, for example interp=0.05; times stay comparable
  --instrument        plugins against the same emulator without one, on the compute workloads, instead of the table
  --plugins LIST      only these rows of plugins.txt (with --instrument)
  --kernel NAME       686 (default) or 686-pae
  --memory MIB        the guests' memory (default 256)
  --json FILE         writes the results there too
  --records FILE      keeps the single measurements
  --install-v86       fetches the npm package v86 into the cache folder first
TEXT
}
fail() { echo "run.sh: $*" >&2; exit 2; }
note() { echo "run.sh: $*" >&2; }

emu="" accels="" peers=qemu,v86 only="" rounds="" boots="" quick="" smoke="" instrument="" plugins="" kernel=686
memory=256 json="" records="" install_v86="" scales=""
while [ $# -gt 0 ]; do
    case $1 in
    --emu | --accel | --peers | --only | --rounds | --boots | --scale | --plugins | --kernel | --memory | --json | --records)
        [ $# -gt 1 ] || fail "$1 needs a value (see --help)"
        case $1 in
        --emu) emu=$2 ;; --accel) accels=$2 ;; --peers) peers=$2 ;; --only) only=$2 ;; --rounds) rounds=$2 ;;
        --boots) boots=$2 ;; --scale) scales="$scales $2" ;; --plugins) plugins=$2 ;; --kernel) kernel=$2 ;;
        --memory) memory=$2 ;; --json) json=$2 ;; --records) records=$2 ;;
        esac
        shift ;;
    --quick) quick=1 ;;
    --smoke) smoke=1 ;;
    --instrument) instrument=1 ;;
    --install-v86) install_v86=1 ;;
    -h | --help) usage; exit 0 ;;
    *) fail "unknown option $1 (see --help)" ;;
    esac
    shift
done
for value in "$rounds" "$boots" "$memory"; do
    case $value in *[!0-9]*) fail "'$value' is not a number" ;; esac
done
[ -z "$smoke" ] || peers=none
[ -n "$rounds" ] || rounds=$([ -n "$quick$smoke" ] && echo 1 || echo 3)
[ -n "$boots" ] || boots=$([ -n "$instrument" ] && echo 1 || echo "$rounds")
missing=$(packages_missing gcc gcc-multilib libc6-dev)
[ -z "$missing" ] || packages_install gcc gcc-multilib libc6-dev >&2 || fail "the benchmark program cannot be compiled"

cache=${XDG_CACHE_HOME:-$HOME/.cache}/emu
work=$(mktemp -d "${TMPDIR:-/tmp}/emu-bench.XXXXXX")
trap 'rm -rf "$work" /dev/shm/emu-bench.$$' EXIT
trap 'exit 130' INT TERM

# --- the program, its image and the driver --------------------------------------------------------------------------
mkdir -p "$work/extra/root/disk" "$work/native" /dev/shm/emu-bench.$$
"$here/build-guest.sh" "$work/extra/root/bench"
gcc -std=gnu17 -O2 -o "$work/driver" "$here/driver.c"
image=$("$root/examples/guests/make-disk.sh" --kernel "$kernel" --size 128 --extra "$work/extra" \
    --run 'dmesg -n 1; mkdir -p /root/disk; exec /root/bench serve /root/disk /tmp </dev/ttyS0 >/dev/ttyS0') ||
    fail "the guest's image could not be made"

# --- contestants ----------------------------------------------------------------------------------------------------
# scale NAME DEFAULT: the factor for its work.
scale() {
    local value=$2 pair
    for pair in $scales; do
        [ "${pair%%=*}" != "$1" ] || value=${pair#*=}
    done
    [ -z "$quick" ] || value=$(awk "BEGIN { print $value / 4 }")
    [ -z "$smoke" ] || value=0.02
    echo "$value"
}
plan=$work/plan
# contestant NAME KIND SCALE COMMAND: adds a line; DISK in the command is its own copy of the image.
contestant() {
    local disk=$work/$1.img prepare=
    case $4 in *DISK*) prepare="cp --sparse=always $image $disk" ;; esac
    printf 'contestant\t%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$prepare" "${4//DISK/$disk}" >>"$plan"
}
common="-m $memory -drive file=DISK,format=raw,if=ide,index=0 -display none -serial stdio"
add_native() { contestant native native "$(scale native "$1")" "$work/extra/root/bench serve $work/native /dev/shm/emu-bench.$$"; }

if [ -z "$emu" ]; then
    emu=$root/build/emu
fi
if [ -x "$emu" ]; then
    emu=$(realpath "$emu")
    help=$("$emu" -help 2>/dev/null | sed -n 's/^ *-accel *[^ ]* *//p')
    [ -n "$accels" ] || accels=$(case $help in *jit*) echo jit ;; *) echo interp ;; esac)
else
    [ -z "$accels$smoke" ] || fail "$emu: no such program; build it first, or name it with --emu"
    note "emu is left out: $emu is not there (build it, or --emu FILE)"
    emu=
fi
plugin_path=${EMU_PLUGIN_PATH:-${emu%/*}/plugins}
# add_emu NAME ACCEL DEFAULT-SCALE [OPTIONS]
add_emu() { contestant "$1" emu "$(scale "${1#emu-}" "$3")" "env EMU_PLUGIN_PATH=$plugin_path $emu -accel $2 $common ${4:--monitor none}"; }
accel_scale() { case $1 in interp | lockstep) echo 0.05 ;; *) echo 1 ;; esac; }

qemu=
case ,$peers, in *,qemu,*)
    qemu=$(command -v qemu-system-i386) || note "qemu is left out: qemu-system-i386 is not installed (package qemu-system-x86)" ;;
esac
v86=
case ,$peers, in *,v86,*)
    if [ -n "$install_v86" ] && [ ! -d "$cache/v86/node_modules/v86" ]; then
        npm install --silent --no-audit --no-fund --prefix "$cache/v86" v86 >&2 || fail "npm cannot fetch the package v86"
    fi
    for folder in "$cache/v86/node_modules/v86" "$(npm root -g 2>/dev/null || true)/v86"; do
        [ -n "$v86" ] || [ ! -f "$folder/build/libv86.mjs" ] || v86=$folder
    done
    command -v node >/dev/null || v86=
    [ -n "$v86" ] || [ -n "$instrument" ] || note "v86 is left out: node or its npm package v86 is missing (--install-v86)" ;;
esac
add_qemu() { contestant "$1" peer "$(scale "$1" "$2")" "$qemu -accel tcg $common -monitor none ${3:-}"; }

wanted=${only:-all}
[ -z "$instrument" ] || wanted=${only:-int,fp}
add_workloads() {
    "$work/extra/root/bench" list | awk -v wanted=",$wanted," \
        'wanted == ",all," || index(wanted, "," $1 ",") || index(wanted, "," $2 ",") { print "workload\t" $1 "\t" $2 "\t" $3 }' >"$work/workloads"
    [ -s "$work/workloads" ] || fail "--only $only: no such workload; the program has: $("$work/extra/root/bench" list | awk '{ printf "%s ", $1 }')"
    cat "$work/workloads" >>"$plan"
}
host="$(date +%F), $(nproc) x $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1), $kernel kernel"
# measure TITLE MODE RECORDS: runs the plan and prints its tables.
status=0
measure() {
    local code=0
    "$work/driver" -r "$rounds" -b "$boots" -m "$memory" "$plan" "$3" || code=$?
    [ $code -lt 2 ] || exit 2
    [ $code = 0 ] || status=1
    awk -v title="$1" -v mode="$2" -v json="${4:-}" -v summary="$work/summary" -f "$here/report.awk" "$3"
}

# --- the table ------------------------------------------------------------------------------------------------------
if [ -z "$instrument" ]; then
    : >"$plan"
    add_native 4
    if [ -n "$emu" ]; then
        for accel in ${accels//,/ }; do
            add_emu "emu-$accel" "$accel" "$(accel_scale "$accel")"
        done
    fi
    [ -z "$qemu" ] || add_qemu qemu 1
    if [ -n "$v86" ]; then
        bios=/usr/share/seabios
        [ -f $bios/bios.bin ] || packages_install seabios >&2 || fail "$bios/bios.bin is missing (package seabios)"
        contestant v86 peer "$(scale v86 0.25)" "node $here/v86.mjs $v86 $bios/bios.bin $bios/vgabios-stdvga.bin $memory DISK"
    fi
    add_workloads
    measure "emu benchmark, $host, $rounds rounds" table "${records:-$work/records}" "$json"
    [ $status = 0 ] || note "failed: a checksum or a run of emu was wrong (above)"
    exit $status
fi

# --- instrumentation ------------------------------------------------------------------------------------------------
library=
if [ -n "$qemu" ]; then
    gcc -std=gnu17 -O2 -shared -fPIC -o "$work/instrument.so" "$here/qemu/instrument.c"
    # It refuses to start with an unknown mode, and says so: then QEMU does load plugins.
    case $("$qemu" -plugin "$work/instrument.so,mode=none" -machine none -display none 2>&1 </dev/null || true) in
    *"needs mode="*) library=1 ;;
    esac
fi
if [ -z "$library" ] && [ -n "$qemu" ]; then
    note "QEMU's plugins are left out: this $qemu loads none"
fi
all=$work/all-records
: >"$all"
while read -r name module peer command; do
    case $name in '' | '#'*) continue ;; esac
    case ,${plugins:-$name}, in *,"$name",*) ;; *) continue ;; esac
    : >"$plan"
    # The short ones must be long enough for their ratio, the slow ones end some time.
    factor=2 peer_factor=0.2
    add_native 1
    any=
    for accel in $([ -z "$emu" ] || echo "${accels//,/ }"); do
        if [ ! -f "$plugin_path/plugin-$module-i386.plugin" ]; then
            note "emu's plugin $module is left out: no plugin-$module-i386.plugin in $plugin_path"
            break
        fi
        any=1
        own=$(awk "BEGIN { print $(accel_scale "$accel") * $factor }")
        add_emu "emu-$accel" "$accel" "$own"
        if [ -z "$command" ]; then
            add_emu "emu-$accel+$name" "$accel" "$own" "-monitor none -plugin $module"
        else
            add_emu "emu-$accel+$name" "$accel" "$own" "-monitor unix:$work/$name.monitor,server=on,wait=off -plugin $module"
            printf 'monitor\t%s\t%s\t%s\n' "emu-$accel+$name" "$work/$name.monitor" "$command" >>"$plan"
        fi
    done
    if [ -n "$library" ] && [ "$peer" != - ]; then
        any=1
        add_qemu qemu "$peer_factor"
        add_qemu "qemu+$name" "$peer_factor" "-plugin $work/$peer"
    fi
    [ -n "$any" ] || continue
    add_workloads
    measure "emu instrumentation: $name, $host, $rounds rounds" plugins "$work/records" "${json:+$json.$name}"
    sed "s/^/$name\t/" "$work/records" >>"$all"
done <"$here/plugins.txt"
if [ -f "$work/summary" ]; then
    printf '\n%-22s %12s %12s\n' "against without" "CPU time" "wall time"
    cat "$work/summary"
fi
[ -z "$records" ] || cp "$all" "$records"
if [ -n "$json" ]; then
    { echo '{'; comma=
        for file in "$json".*; do
            [ -f "$file" ] || continue
            printf '%s"%s": ' "$comma" "${file##*.}"
            cat "$file"
            rm -f "$file"
            comma=,
        done
        echo '}'; } >"$work/json"
    mv "$work/json" "$json"
fi
[ $status = 0 ] || note "failed: a checksum or a run of emu was wrong (above)"
exit $status
