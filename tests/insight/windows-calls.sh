#!/bin/bash
# SPDX-License-Identifier: MIT
# windows-calls.sh EMU: a guest of our own performs every call that syscalls_windows_* know, from two address spaces
# with two threads each, by SYSENTER and INT 2Eh; the log has to show what each thread did, in its order.
. "$(dirname "$0")/../boot/lib.sh"
"$guests/windows-calls/build.sh" "$work/guest" >"$work/build.log" 2>&1 || fail "guest: $(cat "$work/build.log")"

declare -A system=([xp]=WinXP [7]=Win7 [8]=Win8 [8.1]=Win8.1)

# run VERSION ACCEL [plugin options]
run() {
    local version=$1 accel=$2
    shift 2
    emu_start "windows-$version-$accel" -serial "file:$work/windows-$version-$accel.serial" -monitor null -accel "$accel" \
        -kernel guest/guest.elf -append "version=$version" -device isa-debug-exit,iobase=0xf4,iosize=0x04 \
        -os-version "${system[$version]}" -plugin "syscalls_windows_$version,bytes=64$*"
    wait_exit 1 60
    has_text serial "GUEST PASS"
}

compare() {
    sed -n 's/^CALL //p' "$work/$emu_name.serial" | sort -s -k 1,2 >"$work/want"
    sort -s -k 1,2 "$1" >"$work/got"
    [ "$(wc -l <"$work/want")" -ge 300 ] || fail "$emu_name: the guest did only $(wc -l <"$work/want") calls"
    diff "$work/want" "$work/got" >"$work/difference" || fail "$emu_name: $(head -n 4 "$work/difference" | cut -c 1-600)"
}

for version in xp 7 8 8.1; do
    for accel in interp jit; do
        run "$version" "$accel" ",log=log.txt,json=log.json"
        compare "$work/log.txt"
        # The JSON lines say the same.
        python3 - "$work/log.json" >"$work/json.txt" <<'PYTHON' || fail "$emu_name: the JSON log cannot be read"
import json, sys
for line in open(sys.argv[1], encoding="utf-8"):
    o = json.loads(line)
    call = o["call"] or "syscall_0x%04x" % o["number"]
    args = ", ".join("%s=%s" % a for a in o["args"].items())
    print("%08x %08x %s(%s) = %s" % (o["context"], o["thread"], call, args, o["status"] or "?"))
PYTHON
        compare "$work/json.txt"
        calls=$(cut -d ' ' -f 3- "$work/log.txt" | sed 's/(.*//' | sort -u | grep -c '^Nt')
        [ "$calls" = 26 ] || fail "$emu_name: $calls of 26 calls are in the log"
    done
done

# Chosen calls only.
run 7 interp ",log=log.txt,calls=NtClose:NtOpenSection"
[ "$(cut -d ' ' -f 3- "$work/log.txt" | sed 's/(.*//' | sort -u | tr '\n' ' ')" = "NtClose NtOpenSection " ] ||
    fail "calls=: other calls are in the log"
refuses "NtNothing" -plugin syscalls_windows_7,calls=NtNothing -os-version Win7
refuses "Win7" -plugin syscalls_windows_7 -os-version WinXP
[ "$refused_wrong" = 0 ] || fail "wrong options"

# Nonsense for arguments: bad addresses, any number, calls that stay open. Nothing may break, and the logs stay whole.
for accel in interp jit; do
    emu_start "hostile-$accel" -serial "file:$work/hostile-$accel.serial" -monitor null -accel "$accel" \
        -kernel guest/guest.elf -append "version=7 hostile=1" -device isa-debug-exit,iobase=0xf4,iosize=0x04 \
        -os-version Win7 -plugin "syscalls_windows_7,log=log.txt,json=log.json,bytes=64,api_monitor_windows"
    wait_exit 1 120
    has_text serial "GUEST PASS"
    has_no_text err "crashed"
    python3 -c 'import json, sys
for line in open(sys.argv[1], encoding="utf-8"): json.loads(line)' "$work/log.json" || fail "hostile guest: JSON log"
    grep -vnE '^[0-9a-f]{8} [0-9a-f]{8} (Nt[A-Za-z]+|syscall_0x[0-9a-f]{4})\(.*\) = (STATUS_[A-Z_]+|0x[0-9a-f]{8}|\?)$' \
        "$work/log.txt" >"$work/odd" && fail "hostile guest: $(head -n 1 "$work/odd" | cut -c 1-300)"
    [ "$(wc -l <"$work/log.txt")" -gt 50000 ] || fail "hostile guest: only $(wc -l <"$work/log.txt") calls"
done

# Loaded into a running guest, switched on and off, and stopped.
emu_start_monitor live -kernel guest/guest.elf -append "version=xp busy=100000" -os-version WinXP \
    -device isa-debug-exit,iobase=0xf4,iosize=0x04
sleep 1
emu_type "load_plugin syscalls_windows_xp"
emu_type "enable_syscall_log $work/live.log"
end=$((SECONDS + $(limit 30)))
until [ -s "$work/live.log" ] && [ "$(wc -l <"$work/live.log")" -gt 20 ]; do
    [ $SECONDS -lt $end ] || fail "nothing is logged"
    emu_type "syscall_state"
    sleep 0.3
done
emu_type "disable_syscall_log"
emu_type "syscall_state"
emu_type "print 1111+2222"
wait_text monitor 3333 20
has_text monitor "log off"
before=$(wc -l <"$work/live.log")
sleep 1
[ "$(wc -l <"$work/live.log")" = "$before" ] || fail "the log goes on after disable_syscall_log"
! grep -v -E '^[0-9a-f]{8} 7ff[cd][0-9a-f]000 Nt(Close|QueryInformationProcess)\(.*\) = STATUS_SUCCESS$' "$work/live.log" ||
    fail "lines of calls that the guest did not do"
emu_type "stop_plugin syscalls_windows_xp"
emu_type "syscall_state"
wait_text monitor "unknown command" 20
monitor_quit
pass "26 calls of 4 Windows versions, by SYSENTER and INT 2Eh"
