#!/bin/bash
# SPDX-License-Identifier: MIT
# guest.sh EMU MODULES: plugin "everything" uses all of the SDK while a Debian guest runs guest/probe.c, with -icount
# under the interpreter and under the translator. Reports, JSON lines and what the guest saw must be the same, and be
# what the program says.
here_plugin=$(cd "$(dirname "$0")" && pwd)
. "$here_plugin/../boot/lib.sh"
modules=$(realpath "${1:?usage: guest.sh EMU MODULES}")

mkdir -p "$work/extra/root"
gcc -m32 -static -O2 -march=i686 -Wl,--section-start=.probe=0x0b000000 -o "$work/extra/root/probe" \
    "$here_plugin/guest/probe.c" || fail "probe.c does not compile"
head -c 524288 /dev/zero >"$work/extra/root/chosen"
cp "$work/extra/root/chosen" "$work/extra/root/other"
make_image disk --extra "$work/extra"
set_run "$work/disk.img" '/root/probe; /bin/busybox md5sum /root/chosen & /bin/busybox md5sum /root/other; wait; /root/probe quit'
# The entry of busybox, which lies in the image's root partition.
dd if="$work/disk.img" of="$work/root.ext4" bs=1M skip=41 conv=sparse status=none
debugfs -R "dump /bin/busybox $work/busybox" "$work/root.ext4" 2>/dev/null
entry=$(readelf -h "$work/busybox" | sed -n 's/.*Entry point address: *0x//p')
[ -n "$entry" ] || fail "the image has no busybox"

# run_with ACCEL
run_with() {
    EMU_ACCEL=$1
    cp --sparse=always "$work/disk.img" "$work/$1.img"
    mkdir -p "$work/$1"
    EMU_PLUGIN_PATH="$modules:$(dirname "$emu")/plugins" emu_start_monitor "$1" \
        -m 128 -hda "$work/$1.img" \
        -icount shift=1 -rtc base=2024-05-06T07:08:09 \
        -plugin "everything,report=$work/$1/report,json=$work/$1/json,reset_at=300,shared,entry=$entry,report=$work/$1/shared"
    wait_text monitor "everything: stopped" 600
    emu_type 'everything_go now please'
    wait_exit 42 300
    grep '^PROBE' "$work/$1.serial" | tr -d '\r' >"$work/$1/guest"
}
run_with interp
run_with jit
for file in report json guest shared; do
    diff -u "$work/interp/$file" "$work/jit/$file" >&2 || fail "$file differs between the executors"
done

# expect FILE LINE...: they are all there
expect() {
    local file=$1 line
    shift
    for line in "$@"; do
        grep -qxF -- "$line" "$work/jit/$file" || {
            cat "$work/jit/$file" >&2
            fail "$file does not say '$line'"
        }
    done
}
expect guest 'PROBE pid 1' 'PROBE stores 12345678' 'PROBE skip 5' 'PROBE raise 4' 'PROBE eip 1' 'PROBE result 77' \
    'PROBE esi feedbeef xmm5 ff fc f9 f6 f3 f0 ed ea e7 e4 e1 de db d8 d5 d2' 'PROBE written cafebabe 5eed5eed' \
    'PROBE loads 0' 'PROBE done'
expect report 'own_heard 42' 'own_order 211' 'at_before 852' 'at_after 748' 'at_call 50' 'at_return 63' \
    'ranged_load_before 70' 'ranged_load 70' 'ranged_store_before 7' 'ranged_store 7' 'calls_load 71' 'calls_store 8' \
    'user_twice 1704' 'kernel 0' 'executed 852' 'from_fifth 847' "last_target $((0x0b0002ce))" 'last_size 4' 'eight 1' \
    "eight_address $((0x0c000000))" 'records 8' 'flushes 2' 'mem_op_loads 88' 'mem_op_stores 8' 'int80 100' \
    'page_faults 1' 'insn_exceptions 1' 'page_dirs_out_of_order 0' 'page_dirs_once 1' 'paused 1' 'stopped 1' \
    'resets 1' 'skips 1' 'raises 1' 'stops 1' 'ticks 5' 'st0_low 560513589' 'st0_exponent 16384' \
    "mm2_low $((0x12345678))" "xmm5_0 $((0x09060300))" 'disassembled 3' 'wrong 0' 'add eax, 0x64'
value() { sed -n "s/^$2 //p" "$work/jit/$1"; }
for name in interrupts user_interrupts tlb page_dirs at_branch; do
    [ "$(value report $name)" -gt 0 ] || fail "no $name were seen"
done
[ "$(value report user_interrupts)" = "$(value report interrupts_at_user)" ] || fail "the filter by privilege level is wrong"
expect json '{"event":"found","name":"int80","value":100,"sign":-1}'
expect shared 'different 0' 'wrong 0'
[ "$(value shared filtered)" -gt 1000000 ] || fail "the chosen process did not run"
[ "$(value shared other)" -gt 1000000 ] || fail "the other process did not run"
[ "$(value shared pages)" -gt 10 ] || fail "the processes share no code"
[ "$(value shared filtered)" = "$(value shared chosen)" ] || fail "the filter let others through"
[ "$(value shared predicated)" = "$(value shared chosen)" ] || fail "the predicate let others through"
pass "the SDK on a Debian guest: $(wc -l <"$work/jit/report") values agree between interpreter and translator"
