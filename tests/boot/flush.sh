#!/bin/bash
# SPDX-License-Identifier: MIT
# What the guest flushed is on the disk although the emulator is killed; with -snapshot the image never changes.
. "$(dirname "$0")/lib.sh"

make_image disk
set_run "$work/disk.img" 'echo kept $((6 * 7)) >/root/kept; sync; echo FLUSHED; sleep 1000'
emu_start_monitor killed -m 128 -hda "$work/disk.img"
wait_text serial "FLUSHED" 300
kill -KILL "$emu_pid"
wait "$emu_pid" 2>/dev/null || true
emu_pid=
exec 7>&-

set_run "$work/disk.img" 'cat /root/kept; rm /root/kept; sync; echo REMOVED'
before=$(hash_of "$work/disk.img")
boot_list snapshot "$work/disk.img" 300 -m 128 -snapshot
has_text serial "kept 42"
has_text serial "REMOVED"
[ "$before" = "$(hash_of "$work/disk.img")" ] || fail "-snapshot changed the image"
boot_list again "$work/disk.img" 300 -m 128
has_text serial "kept 42"
pass "flushed data survives kill -9; -snapshot leaves the image alone"
