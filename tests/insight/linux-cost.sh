#!/bin/bash
# SPDX-License-Identifier: MIT
# linux-cost.sh EMU [ROUNDS [TURN...]]: processor time of the emulator for what a busy guest does, without plugins and with each of
# them. One guest does the same work over and over; plugins are loaded and stopped between, so that their turns alternate;
# medians of the rounds are printed. A measurement, not a test: run it by hand, on an idle machine if there is one.
. "$(dirname "$0")/linux-lib.sh"
rounds=${1:-5}
[ $# -gt 0 ] && shift

guest_program library -O0 -fno-builtin
guest_program cost -static
mkdir -p "$work/extra/lib"
cp -L "$(gcc -m32 -print-file-name=libc.so.6)" "$(gcc -m32 -print-file-name=ld-linux.so.2)" "$work/extra/lib/"
make_image disk --append no_timer_check --extra "$work/extra" --run 'cd /root; mixed() { i=0; while [ $i -lt 20 ]; do
 cat /etc/passwd /etc/inittab | md5sum >/dev/null; ls -l /bin >/dev/null; ./library >/dev/null; i=$((i+1)); done; }
while true; do echo ROUND
./cost compute 150000000 >/dev/null; echo DONE compute; ./cost calls 300000; echo DONE calls; mixed; echo DONE mixed; done'
watch cost "$work/disk.img"
python3 "$insight/cost.py" "$emu_pid" "$work" "$rounds" "$@" >&7 3>&1 4>&2 || fail "the measurement ended early"
cat "$work/raw" "$work/result"
