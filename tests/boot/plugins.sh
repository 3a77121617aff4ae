#!/bin/bash
# SPDX-License-Identifier: MIT
# plugins.sh EMU [ROUNDS]: example2 loaded while the disk boots brings example1 and contexts with it; both are listed,
# print their signals, and go away with stop_plugin, again and again while the guest works.
. "$(dirname "$0")/lib.sh"
rounds=${1:-20}

make_image disk
set_run "$work/disk.img" '/root/run.sh'
emu_start_monitor plugins -m 128 -hda "$work/disk.img"
sleep 1
emu_type 'load_plugin example2'
emu_type 'list_plugins'
for name in example2 example1 contexts; do
    wait_text monitor "$name" 30
done
emu_type 'info signals'
wait_text serial "Linux version" 300
emu_type 'print 1111+2222'
wait_text monitor 3333 30
for name in example2 example1 contexts; do
    emu_type "stop_plugin $name"
done
emu_type 'print 4444+1111'
wait_text monitor 5555 30
emu_type 'list_plugins'
emu_type 'print 1233+5433'
wait_text monitor 6666 30
sed -n '/5555/,/6666/p' "$work/plugins.monitor" >"$work/after"
! grep -qE 'example[12]|contexts' <(grep -v stop_plugin "$work/after") || fail "a stopped plugin is still listed"
wait_text serial "RUN BEGIN" 300
for ((round = 0; round < rounds; round++)); do
    emu_type 'load_plugin example2'
    emu_type 'stop_plugin example2'
    emu_type 'stop_plugin example1'
    emu_type 'stop_plugin contexts'
done
emu_type 'print 7000+777'
wait_text monitor 7777 300
wait_exit 0 900
has_text serial "WORKLOAD PASS "
has_text serial "RUN END status 0"
has_no_text serial FAIL
pass "plugins load, are listed and stop $rounds times while the guest works"
