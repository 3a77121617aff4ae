#!/bin/bash
# SPDX-License-Identifier: MIT
# The monitor on a pipe while a disk boots: state, memory, stop and cont, keys to the VGA console, the screen, and the
# power button, which the guest answers by powering off.
. "$(dirname "$0")/lib.sh"

# A pipe full of commands leaves the guest, an endless loop, its share of the processor.
head -c 65536 /dev/zero >"$work/loop.rom"
printf '\353\376' | dd of="$work/loop.rom" bs=1 seek=65520 conv=notrunc status=none
yes 'info registers' | sed -e '5000~5000s/.*/info icount/' -e 50001q >"$work/many"
echo quit >>"$work/many"
"$emu" -display none ${EMU_ACCEL:+-accel "$EMU_ACCEL"} -serial null -monitor stdio -m 16 -bios "$work/loop.rom" \
    <"$work/many" >"$work/many.out" || fail "a loop under many commands ended with $?"
mapfile -t counts < <(sed -n 's/^instructions: //p' "$work/many.out")
[ ${#counts[@]} -eq 10 ] || fail "${#counts[@]} of 10 instruction counts"
for ((i = 1; i < 10; i++)); do
    [ "${counts[i]}" -gt "${counts[i - 1]}" ] || fail "5000 monitor commands kept the guest from running: ${counts[*]}"
done

make_image disk
emu_start_monitor monitor -m 128 -hda "$work/disk.img"
emu_type 'info status'
wait_text monitor "running" 20
wait_text serial "GUEST READY" 300
emu_type 'stop'
emu_type 'info status'
wait_text monitor "paused" 20
emu_type 'info registers'
wait_text monitor "EIP=" 20
emu_type 'print 6*7'
emu_type 'x /2i $eip'
emu_type 'xp /1xw 0xffff0'
emu_type "pmemsave 0xf0000 65536 bios.bin"
emu_type 'nonsense'
wait_text monitor "nonsense" 20
emu_type 'cont'
wait_text serial "guest#" 60
# The VGA console has its own shell: a key sequence makes a mark that the serial console can show.
for key in e c h o spc h e l l o spc shift-dot spc slash d e v slash t t y shift-s 0 ret; do
    emu_type "sendkey $key"
    sleep 0.2
done
wait_text serial "hello" 60
emu_type "screendump screen.ppm"
sleep 1
[ "$(head -c 2 "$work/screen.ppm" 2>/dev/null)" = P6 ] || fail "screendump wrote no PPM"
[ "$(stat -c %s "$work/bios.bin" 2>/dev/null)" = 65536 ] || fail "pmemsave wrote no 65536 bytes"
grep -qF SeaBIOS "$work/bios.bin" || fail "the BIOS area does not hold SeaBIOS"
emu_type 'system_powerdown'
wait_exit 0 120
has_text serial "GUEST DOWN"
pass "monitor commands, keys, screen and the power button"
