#!/bin/bash
# SPDX-License-Identifier: MIT
# linux-calls.sh EMU KERNEL: what syscalls_linux logs of a program is what strace -f prints natively.
. "$(dirname "$0")/linux-lib.sh"
kernel=${1:-686}

need strace python3
guest_program calls -static -pthread
mkdir "$work/native"
(cd "$work/native" && natively strace -f -o "$work/native.log" ../extra/root/calls) 2>/dev/null
[ -s "$work/native.log" ] || fail "strace cannot trace here"
make_image disk --kernel "$kernel" --extra "$work/extra" --run 'cd /root; ulimit -c 0; ./calls </dev/null; echo CALLS $?'
watch calls "$work/disk.img" 'load_plugin syscalls_linux' "enable_syscall_log name=calls $work/guest.log"
wait_exit 0 600
has_text serial "CALLS 6"
python3 "$insight/compare_strace.py" "$work/native.log" "$work/guest.log" >"$work/differences" || {
    cat "$work/differences" >&2
    fail "the log differs from strace's"
}
pass "$kernel: $(tail -n 1 "$work/differences")"
