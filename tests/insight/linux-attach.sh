#!/bin/bash
# SPDX-License-Identifier: MIT
# linux-attach.sh EMU: plugin processes finds its way at whatever instant it is loaded, also when the idle task has kept
# the address space of a process that is gone.
. "$(dirname "$0")/linux-lib.sh"

make_image disk --append no_timer_check --run 'echo GO NOW
while true; do ls /bin/sh >/dev/null; (ls /proc | md5sum) >/dev/null; usleep 20000; done'
watch attach "$work/disk.img"
wait_text serial "GO NOW" 300
for i in $(seq 24); do
    sleep "0.0$((i * 37 % 100))"
    emu_type 'load_plugin processes'
    emu_type processes_layout
    emu_type ps
    emu_type 'stop_plugin processes'
    wait_count monitor "PID     TID" "$i" 60
done
monitor_quit
has_no_text monitor "no Linux kernel"
[ "$(grep -c '^mm_struct: pgd' "$work/attach.monitor")" = 24 ] || fail "the layout was not found each time"
[ "$(grep '^mm_struct: pgd\|^task_struct' "$work/attach.monitor" | sort -u | wc -l)" -le 3 ] || fail "layouts differ"
[ "$(grep -c ' init$' "$work/attach.monitor")" = 24 ] || fail "init is not in each list"
pass "24 times at any instant"
