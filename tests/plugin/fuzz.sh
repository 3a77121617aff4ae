#!/bin/bash
# SPDX-License-Identifier: MIT
# fuzz.sh EMU MODULES SECONDS [SEED]: loads, reloads and stops random plugins at random instants while
# the guest runs its self-checking workload over and over; among them ones that crash. The guest must
# finish the workload, and emu must end with 0 (a sanitizer build finds leaks and wild accesses).
. "$(dirname "$0")/../boot/lib.sh"
modules=$1 seconds=$2 RANDOM=${3:-1}
export EMU_PLUGIN_PATH=$modules
accel=()
[ -z "${EMU_ACCEL:-}" ] || accel=(-accel "$EMU_ACCEL")

loads=(example2 example1 contexts consumer provider 'hooks mode=count' 'hooks mode=access' 'hooks mode=record'
    'hooks mode=put' 'hooks mode=threshold' 'hooks mode=range' 'mem_log limit=20000 file=/dev/null'
    'mem_log limit=5000 cpl=3 format=binary file=/dev/null' 'crasher how=segv' 'crasher at=helper'
    'crasher at=translate' 'crasher how=abort' 'crasher at=exit' 'crasher at=timer' 'refuses' 'cycle_a' 'ring_a'
    'dies_at_start' 'old_abi' 'believer')
stops=(example2 example1 contexts consumer provider hooks mem_log crasher believer liar)

make_image disk
set_run "$work/disk.img" 'while [ ! -e /root/enough ]; do /root/run.sh || echo FAIL; done'
emu_start_monitor fuzz -m 128 "${accel[@]}" -snapshot -hda "$work/disk.img"
end=$((SECONDS + seconds)) steps=0
# On a slow host it goes on until the guest has passed its workload once.
while [ $SECONDS -lt $end ] || { [ $SECONDS -lt $((end + 900)) ] && ! grep -q 'WORKLOAD PASS' "$work/fuzz.serial"; }; do
    case $((RANDOM % 8)) in
    0 | 1 | 2) emu_type "load_plugin ${loads[RANDOM % ${#loads[@]}]}" ;;
    3 | 4) emu_type "stop_plugin ${stops[RANDOM % ${#stops[@]}]}" ;;
    5) emu_type "reload_plugin ${stops[RANDOM % ${#stops[@]}]}" ;;
    6) [ $((RANDOM % 4)) = 0 ] && emu_type unload_plugin || emu_type crash ;;
    7) emu_type 'info signals' ;;
    esac
    steps=$((steps + 1))
    sleep "0.0$((RANDOM % 100 + 10))"
    emu_alive || fail "the emulator ended after $steps steps"
done
emu_type unload_plugin
emu_type 'print 7000+777'
wait_text monitor 7777 300
rounds=$(grep -c 'WORKLOAD PASS' "$work/fuzz.serial")
wait_count serial 'WORKLOAD PASS' $((rounds + 1)) 900
has_no_text serial FAIL
[ "$rounds" -gt 0 ] || fail "the guest did not finish its workload once"
monitor_quit
pass "$steps random steps; the guest passed its workload $((rounds + 1)) times"
