#!/bin/bash
# SPDX-License-Identifier: MIT
# linux-processes.sh EMU KERNEL boot|later [KERNEL-OPTION]: plugin processes lists what ps prints in the guest.
. "$(dirname "$0")/linux-lib.sh"
kernel=${1:-686} when=${2:-boot} option=${3:-quiet}

# The guest waits for the end of the test, however long that is in coming.
make_image disk --kernel "$kernel" --append "$option no_timer_check" --run \
    'true; ps -o pid,ppid,comm; echo PS DONE; sleep 1; while true; do sleep 100; done'
if [ "$when" = boot ]; then
    watch processes "$work/disk.img" 'load_plugin processes' "processes_log $work/events"
else
    watch processes "$work/disk.img"
fi
wait_text serial "PS DONE" 300
[ "$when" = boot ] || emu_type 'load_plugin processes'
emu_type ps
emu_type processes_layout
wait_text monitor "mm_struct: pgd" 60
monitor_quit
# Workers of the kernel show what they work on behind their name; what only ran meanwhile is left out.
tidy() { sed 's/^\(.* kworker\/[^-+]*\)[-+].*/\1/' | cut -c 1-30 | grep -vE ' (ps|sleep|sh|exe)$' | sort -n; }
sed -n '/PID *PPID/,/PS DONE/p' "$work/processes.serial" | tr -d '\r' |
    awk '$1 ~ /^[0-9]+$/ { sub(/^\[/, "", $3); sub(/\]$/, "", $3); print $1, $2, $3 }' | tidy >"$work/guest"
awk '$1 ~ /^[0-9]+$/ && $1 > 0 && $4 ~ /^c/ { print $1, $3, $6 }' "$work/processes.monitor" | tidy >"$work/emu"
[ "$(wc -l <"$work/guest")" -gt 30 ] || fail "ps printed nothing to compare with"
# The kernel makes and ends workers as it likes: those that were there both times are compared.
only() {
    awk 'NR == FNR { seen[$1] = 1; next } $3 !~ /^kworker/ || seen[$1]' "$2" "$1" >"$1.common"
}
only "$work/guest" "$work/emu"
only "$work/emu" "$work/guest"
diff "$work/guest.common" "$work/emu.common" >"$work/differences" || {
    cat "$work/differences" >&2
    fail "the lists differ (< ps in the guest, > plugin)"
}
[ "$when" != boot ] || grep -q 'EXEC .*"rcS"\|EXEC .*"sleep"\|EXIT .*"ps"' "$work/events" ||
    fail "no start, exec or exit was reported"
pass "$kernel, $when, $option: $(wc -l <"$work/guest.common") tasks as ps lists them"
