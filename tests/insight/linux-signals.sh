#!/bin/bash
# SPDX-License-Identifier: MIT
# linux-signals.sh EMU: what another plugin hears of processes, system calls, files and library calls: every id of groups
# syscall, files and processes with its payload, functions by their own id. The same run has the plugins' logs made by
# their arguments.
. "$(dirname "$0")/linux-lib.sh"

guest_program ids -static
guest_program library -O0 -fno-builtin
mkdir -p "$work/extra/lib"
cp -L "$(gcc -m32 -print-file-name=libc.so.6)" "$(gcc -m32 -print-file-name=ld-linux.so.2)" "$work/extra/lib/"
gcc -std=gnu17 -O1 -Wall -Werror -shared -fPIC -fvisibility=hidden -I "$(dirname "$emu")/sdk" -I "$source_root/plugins" \
    -o "$work/plugin-listener-i386.plugin" "$insight/linux-listener.c" 2>"$work/build.log" ||
    fail "listener: $(cat "$work/build.log")"
make_image disk --append no_timer_check --extra "$work/extra" --run 'cd /root; md5sum /etc/group >/dev/null; ./ids; echo IDS $?; ./library >/dev/null; sleep 1'
arguments="processes,log=$work/processes.log,syscalls_linux,log=$work/calls.log,name=ids,strings=5"
arguments+=",file_monitor,log=$work/files.json,format=json,limit=3,name=md5sum"
arguments+=",api_monitor_linux,log=$work/api.json,format=json,name=library,main=1"
EMU_INSIGHT_OPTIONS="-plugin $arguments,$work/plugin-listener-i386.plugin,file=$work/heard" watch signals "$work/disk.img"
wait_exit 0 300
has_text serial "IDS 5"
python3 "$insight/check_signals.py" "$work" || fail "not what the programs did"
pass "every id with its payload; logs by arguments"
