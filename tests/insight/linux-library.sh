#!/bin/bash
# SPDX-License-Identifier: MIT
# linux-library.sh EMU: the library calls of a dynamically linked program, with arguments and results, as a preloaded
# shim sees them natively.
. "$(dirname "$0")/linux-lib.sh"

need python3 gcc-multilib
guest_program library -O0 -fno-builtin
gcc -m32 -shared -fPIC -w -o "$work/shim.so" "$insight/library-shim.c" -ldl || fail "the shim does not compile"
LD_PRELOAD=$work/shim.so "$work/extra/root/library" 9>"$work/native.log" >/dev/null </dev/null || fail "the program fails natively"
mkdir -p "$work/extra/lib"
for file in libc.so.6 ld-linux.so.2; do
    path=$(gcc -m32 -print-file-name=$file)
    cp -L "$path" "$work/extra/lib/" || fail "no 32-bit $file; install gcc-multilib"
done
make_image disk --append no_timer_check --extra "$work/extra" --run './library; echo LIBRARY $?; ./library >/dev/null; sleep 2'
watch library "$work/disk.img" 'load_plugin api_monitor_linux' "enable_api_log main name=library $work/guest.log"
wait_text serial "LIBRARY 0" 300
wait_exit 0 300
first=$(sed -n '1s/ .*//p' "$work/guest.log")
python3 "$insight/compare_library.py" "$work/native.log" <(awk -v a="$first" '$1 >= a && $1 <= a + 1' "$work/guest.log") \
    >"$work/differences" || {
    cat "$work/differences" >&2
    fail "the calls differ from the shim's"
}
pass "$(tail -n 1 "$work/differences")"
