#!/bin/bash
# SPDX-License-Identifier: MIT
# login.sh EMU [syslinux|grub]: Debian's own init (systemd) boots to a login on the serial console; somebody logs in, looks
# around and powers off.
. "$(dirname "$0")/../boot/lib.sh"
loader=${1:-syslinux}
image=$("$guests/make-debian.sh" --kernel "${EMU_KERNEL:-686}" --loader "$loader" 2>"$work/make.log") || {
    cat "$work/make.log" >&2
    fail "no Debian: $(tail -n 1 "$work/make.log")"
}
emu_start_serial login -m 512 -hda "$image" -snapshot -no-reboot -icount shift=0
wait_text serial "guest login:" 600
emu_type root
wait_text serial "root@guest:~#" 120
emu_type 'systemctl is-system-running; systemctl --failed --no-legend; echo STATE $?'
wait_text serial "STATE 0" 120
emu_type 'ps -e -o comm= | grep -c -E "systemd-journal|systemd-udevd|agetty|bash"; date -u +%Y; echo PRO''CESSES'
wait_text serial "PROCESSES" 60
emu_type 'poweroff'
wait_exit 0 200
grep -aq $'running\r$' "$work/login.serial" || {
    grep -aE '●|FAILED' "$work/login.serial" >&2
    fail "the system is not 'running'"
}
has_text serial "Power down"
pass "Debian with systemd and $loader to a login and power-off"
