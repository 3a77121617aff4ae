#!/bin/bash
# SPDX-License-Identifier: MIT
# packaged.sh EMU: other systems that come as Debian packages, unchanged: memtest86+ as a kernel and from its CD, iPXE as a
# kernel and from its CD. What they show is read from screendumps.
. "$(dirname "$0")/../boot/lib.sh"
. "$source_root/examples/packages.sh"
packages_install memtest86+ ipxe >"$work/packages.log" 2>&1 || fail "$(tail -n 1 "$work/packages.log")"

# screen: the text on the screen, read from a picture of it
screen() {
    rm -f "$work/screen.ppm"
    emu_type "screendump $work/screen.ppm"
    emu_type "info status"
    local end=$((SECONDS + $(limit 20))) answers=$((answered + 1))
    until [ "$(grep -c '^VM status' "$work/$emu_name.out")" -ge "$answers" ]; do
        [ $SECONDS -lt $end ] || fail "the monitor does not answer"
        sleep 0.1
    done
    answered=$answers
    python3 "$here/../guests/screen_text.py" "$work/screen.ppm"
}
# wait_screen TEXT SECONDS
wait_screen() {
    local end=$((SECONDS + $(limit "$2")))
    until { screen >"$work/screen" || true; } && grep -qF -- "$1" "$work/screen"; do
        emu_alive || fail "the emulator ended before '$1' was on the screen"
        [ $SECONDS -lt $end ] || { cat "$work/screen" >&2; fail "'$1' did not come to the screen within $(limit "$2") s"; }
        sleep 1
    done
}
start() {
    local name=$1
    shift
    answered=0
    emu_start "$name" -monitor stdio -serial null "$@"
}

start memtest -m 32 -cdrom /usr/lib/memtest86+/memtest86+ia32.iso
wait_screen "Memtest86+" 60
wait_screen "Intel(R) Pentium(R) 4" 60
wait_screen "Status: Testing" 120
wait_screen "Errors: 0" 60
monitor_quit
start memtest-kernel -m 48 -kernel /boot/memtest86+ia32.bin
wait_screen "Status: Testing" 120
wait_screen "48MB" 60
wait_screen "Errors: 0" 60
monitor_quit
for from in "-cdrom /usr/lib/ipxe/ipxe.iso" "-kernel /boot/ipxe.lkrn"; do
    # shellcheck disable=SC2086
    start "ipxe${from%% *}" -m 64 $from
    wait_screen "Open Source Network Boot Firmware" 60
    wait_screen "No more network devices" 60
    monitor_quit
done
pass "memtest86+ and iPXE, as kernels and from their CDs"
