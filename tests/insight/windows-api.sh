#!/bin/bash
# SPDX-License-Identifier: MIT
# windows-api.sh EMU: a kernel32.dll of our own, built by mingw-w64, is mapped page by page into two processes of the
# test guest; api_monitor_windows has to report each call and return in each thread, and emit its signals.
. "$(dirname "$0")/../boot/lib.sh"
plugins=$source_root/plugins
insight=$source_root/tests/insight
"$guests/windows-calls/build.sh" "$work/guest" dll >"$work/build.log" 2>&1 || fail "guest: $(cat "$work/build.log")"
gcc -std=gnu17 -O1 -Wall -Werror -shared -fPIC -fvisibility=hidden -I "$(dirname "$emu")/sdk" -I "$plugins" \
    -o "$work/plugin-listener-i386.plugin" "$insight/windows/listener.c" "$plugins/common/windows/signals.c" \
    "$plugins/common/windows/calls.c" "$plugins/common/windows/names.c" "$plugins/common/text.c" \
    "$plugins/common/windows/syscall_signals.c" 2>"$work/build.log" || fail "listener: $(cat "$work/build.log")"

declare -A system=([xp]=WinXP [8.1]=Win8.1)
guest_options() {
    echo "-kernel guest/guest.elf -initrd guest/kernel32.dll -device isa-debug-exit,iobase=0xf4,iosize=0x04"
}

# compare KIND FILE: the guest's lines of that kind against the log's, in each thread's order
compare() {
    sed -n "s/^$1 //p" "$work/$emu_name.serial" | sort -s -k 1,2 >"$work/want"
    sort -s -k 1,2 "$2" >"$work/got"
    [ -s "$work/want" ] || fail "$emu_name: the guest said nothing of $1"
    diff "$work/want" "$work/got" >"$work/difference" ||
        fail "$emu_name, $1: $(head -n 6 "$work/difference" | cut -c 1-300)"
}

for version in xp 8.1; do
    for accel in interp jit; do
        # shellcheck disable=SC2046
        emu_start "api-$version-$accel" -serial "file:$work/api-$version-$accel.serial" -monitor null -accel "$accel" \
            $(guest_options) -append "version=$version" -os-version "${system[$version]}" \
            -plugin "syscalls_windows_$version,log=calls.txt,bytes=64,api_monitor_windows,log=api.txt,args=0,$work/plugin-listener-i386.plugin,file=heard.txt"
        wait_exit 1 60
        has_text serial "GUEST PASS"
        compare CALL "$work/calls.txt"
        sed 's/ from 0x.*//' "$work/api.txt" >"$work/api-calls.txt"
        compare API "$work/api-calls.txt"
        sed -n 's/^ID //p' "$work/heard.txt" >"$work/ids.txt"
        compare ID "$work/ids.txt"
        # Its own id is subscribed to: both ends of 2 x 3 calls in 4 threads, with their argument and result.
        grep "^LEAF" "$work/heard.txt" | cut -d ' ' -f 4- | sort | uniq -c | sed 's/^ *//' >"$work/leaf"
        diff - "$work/leaf" <<'LEAF' || fail "$emu_name: kernel32.dll!Leaf"
8 kernel32.dll!Leaf entered=0 returned=1 value=54
8 kernel32.dll!Leaf entered=0 returned=1 value=55
8 kernel32.dll!Leaf entered=0 returned=1 value=57
8 kernel32.dll!Leaf entered=1 returned=0 value=0
8 kernel32.dll!Leaf entered=1 returned=0 value=1
8 kernel32.dll!Leaf entered=1 returned=0 value=2
LEAF
        python3 "$insight/windows/heard.py" "$work/heard.txt" || fail "$emu_name: signals of group syscall"
    done
done

# Who listens to a group gets the provider that is for the guest's system.
# shellcheck disable=SC2046
emu_start by-group -serial "file:$work/by-group.serial" -monitor null $(guest_options) -append "version=8" \
    -os-version Win8 -plugin "$work/plugin-listener-i386.plugin,file=heard.txt"
wait_exit 1 60
sed -n 's/^ID //p' "$work/heard.txt" >"$work/ids.txt"
compare ID "$work/ids.txt"
python3 "$insight/windows/heard.py" "$work/heard.txt" || fail "$emu_name: signals of group syscall"

# Loaded later: the map is in the loader's list. The functions are called all the time.
# shellcheck disable=SC2046
emu_start_monitor live $(guest_options) -append "version=xp busy=100000" -os-version WinXP
sleep 2
emu_type "load_plugin api_monitor_windows args=1 only=*!Recurse"
emu_type "enable_api_log $work/live.log"
end=$((SECONDS + $(limit 30)))
until [ -s "$work/live.log" ] && [ "$(wc -l <"$work/live.log")" -gt 2000 ]; do
    [ $SECONDS -lt $end ] || fail "nothing is logged"
    emu_type "show_dll_list"
    sleep 0.3
done
emu_type "disable_api_log"
emu_type "show_dll_list"
wait_text monitor "kernel32.dll         C:\\WINDOWS\\system32\\KERNEL32.dll" 20
emu_type "stop_plugin api_monitor_windows"
emu_type "print 1111+2222"
wait_text monitor 3333 20
# Per thread, calls and returns nest: Recurse(n) is n + 1 calls, then as many returns, 100 and up.
python3 "$insight/windows/nesting.py" "$work/live.log" || fail "calls and returns do not nest"
monitor_quit
pass "API calls of a PE module in two processes, by name, ordinal, jump and recursion; signals; loaded later"
