#!/bin/bash
# SPDX-License-Identifier: MIT
# linux-cost.sh EMU [LOOPS]: processor time that a busy guest takes without plugins and with each of them, measured
# between two lines that the guest prints. A measurement, not a test: run it by hand on an idle machine.
. "$(dirname "$0")/linux-lib.sh"
loops=${1:-150}

guest_program library -O0 -fno-builtin
mkdir -p "$work/extra/lib"
cp -L "$(gcc -m32 -print-file-name=libc.so.6)" "$(gcc -m32 -print-file-name=ld-linux.so.2)" "$work/extra/lib/"
make_image disk --append no_timer_check --extra "$work/extra" --run "i=0; busy() {
 while [ \$i -lt \$1 ]; do cat /etc/passwd /etc/inittab | md5sum >/dev/null; ls -l /bin >/dev/null; ./library >/dev/null;
 i=\$((i+1)); done; }; busy 10; echo BUSY BEGIN; busy $loops; echo BUSY END; sleep 1"
ticks() { awk '{ print $14 + $15 }' "/proc/$emu_pid/stat"; }
# measure LABEL COMMANDS...
measure() {
    local label=$1 before after
    shift
    cp --sparse=always "$work/disk.img" "$work/run.img"
    watch cost "$work/run.img" "$@"
    wait_text serial "BUSY BEGIN" 300
    before=$(ticks)
    wait_text serial "BUSY END" 600
    after=$(ticks)
    wait_exit 0 100
    [ -n "${base:-}" ] || base=$((after - before))
    awk -v l="$label" -v t=$((after - before)) -v b="$base" 'BEGIN {
        printf "%-44s %6.2f s  %+5.0f %%\n", l, t / 100, (t - b) * 100 / b }'
}
measure "no plugin"
measure "processes" "load_plugin processes"
measure "syscalls_linux, nobody listens" "load_plugin syscalls_linux"
measure "syscalls_linux, all calls to a file" "load_plugin syscalls_linux" "enable_syscall_log $work/log"
measure "file_monitor, nobody listens" "load_plugin file_monitor"
measure "file_monitor, all files to a file" "load_plugin file_monitor" "enable_filemon_log $work/log"
measure "api_monitor_linux, nobody listens" "load_plugin api_monitor_linux"
measure "api_monitor_linux, all calls to a file" "load_plugin api_monitor_linux" "enable_api_log $work/log"
wc -l "$work/log" | sed 's/ .*/ lines in the last log/'
