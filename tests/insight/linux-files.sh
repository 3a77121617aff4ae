#!/bin/bash
# SPDX-License-Identifier: MIT
# linux-files.sh EMU: file_monitor names what a script opens, with who did it and what was read.
. "$(dirname "$0")/linux-lib.sh"

need python3
mkdir -p "$work/extra/root"
cp "$insight/files-guest.sh" "$work/extra/root/"
chmod 755 "$work/extra/root/files-guest.sh"
head -c 20000 /dev/urandom >"$work/extra/root/data.bin"
make_image disk --extra "$work/extra" --run '/root/files-guest.sh; sleep 3'
watch files "$work/disk.img" 'load_plugin file_monitor' "enable_filemon_log json limit=100000 $work/files.log"
wait_text serial "FILES DONE" 300
emu_type open_files
wait_exit 0 300
has_text monitor "/etc/init.d/rcS"
python3 "$insight/check_files.py" "$work/files.log" "$work/extra/root/data.bin" || fail "the log is not what the script did"
pass "every file of the script by name and process, bytes as in the file"
