#!/bin/bash
# SPDX-License-Identifier: MIT
# linux-files.sh EMU [starved]: file_monitor names what a script opens, with who did it and what was read. starved: the
# emulator gets a fifth of a processor, in slices shorter than a search of the guest's memory takes.
. "$(dirname "$0")/linux-lib.sh"

how=${1:-}

need python3
mkdir -p "$work/extra/root"
cp "$insight/files-guest.sh" "$work/extra/root/"
chmod 755 "$work/extra/root/files-guest.sh"
head -c 20000 /dev/urandom >"$work/extra/root/data.bin"
make_image disk --append no_timer_check --extra "$work/extra" --run '/root/files-guest.sh; while true; do sleep 100; done'
watch files "$work/disk.img" 'load_plugin file_monitor' "enable_filemon_log json limit=100000 $work/files.log"
if [ "$how" = starved ]; then
    python3 -c '
import os, signal, sys, time
pid, end = int(sys.argv[1]), b"FILES DONE"
while end not in open(sys.argv[2], "rb").read():
    for s, t in (signal.SIGSTOP, 0.12), (signal.SIGCONT, 0.03):
        os.kill(pid, s)
        time.sleep(t)' "$emu_pid" "$work/files.serial" &
fi
wait_text serial "FILES DONE" 600
emu_type open_files
wait_text monitor "/etc/init.d/rcS" 60
monitor_quit
python3 "$insight/check_files.py" "$work/files.log" "$work/extra/root/data.bin" || fail "the log is not what the script did"
pass "every file of the script by name and process, bytes as in the file"
