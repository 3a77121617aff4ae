#!/bin/bash
# SPDX-License-Identifier: MIT
# linux-calls.sh EMU KERNEL [json]: what syscalls_linux logs of two programs is what strace -f prints natively. json: the
# same from JSON lines, written because of the plugin's arguments.
. "$(dirname "$0")/linux-lib.sh"
kernel=${1:-686} format=${2:-text}

need strace python3
guest_program calls -static -pthread
guest_program more -static -pthread
mkdir "$work/native"
cp "$work/extra/root/more" "$work/native/"
(cd "$work/native" && natively strace -f -o "$work/native.log" ../extra/root/calls) 2>/dev/null
[ -s "$work/native.log" ] || fail "strace cannot trace here"
make_image disk --kernel "$kernel" --append no_timer_check --extra "$work/extra" --run 'cd /root; ulimit -c 0; ./calls </dev/null; echo CALLS $?'
if [ "$format" = json ]; then
    EMU_INSIGHT_OPTIONS="-plugin syscalls_linux,format=json,name=calls,log=$work/guest.json" watch calls "$work/disk.img"
else
    watch calls "$work/disk.img" 'load_plugin syscalls_linux' "enable_syscall_log name=calls $work/guest.log"
fi
wait_exit 0 600
has_text serial "CALLS 6"
if [ "$format" = json ]; then
    python3 "$insight/json_to_strace.py" "$work/guest.json" >"$work/guest.log" || fail "the JSON lines are not as they should be"
fi
python3 "$insight/compare_strace.py" "$work/native.log" "$work/guest.log" >"$work/differences" || {
    cat "$work/differences" >&2
    fail "the log differs from strace's"
}
pass "$kernel: $(tail -n 1 "$work/differences")"
