#!/bin/bash
# SPDX-License-Identifier: MIT
# Wrong input: exit code 1, exactly one line on standard error that names the thing, and no image changed.
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 1

truncate -s 1M good.img
printf 'data that must stay' | dd of=good.img conv=notrunc status=none
: >empty.img
head -c 1000 /dev/zero >odd.img
truncate -s 1M secret.img
mkdir folder.img
before=$(cat good.img odd.img secret.img | sha256sum)

refuses missing.img -hda missing.img
refuses empty.img -hda empty.img
refuses odd.img -hda odd.img
refuses folder.img -hda folder.img
refuses missing.iso -cdrom missing.iso
# Root reads everything, unless the kernel is asked as somebody else.
if [ "$(id -u)" != 0 ]; then
    chmod 000 secret.img
    refuses secret.img -hda secret.img
    chmod 600 secret.img
elif command -v setpriv >/dev/null; then
    chmod 000 secret.img
    chmod 755 "$work"
    cp "$emu" "$work/emu-copy" 2>/dev/null && chmod 755 "$work/emu-copy"
    real=$emu emu=$work/as-nobody
    printf '#!/bin/sh\nexec setpriv --reuid 65534 --regid 65534 --clear-groups %s "$@"\n' "$work/emu-copy" >"$emu"
    chmod 755 "$emu"
    refuses secret.img -hda "$work/secret.img"
    emu=$real
    chmod 600 secret.img
fi
# A FIFO without anybody at its other end is a mistake, not something to wait for.
mkfifo fifo
refuses fifo -hda fifo
refuses fifo -kernel fifo
refuses fifo -bios fifo
refuses fifo -plugin ./fifo
refuses fifo -D fifo
refuses -nonsense -nonsense
refuses --also-nonsense --also-nonsense
refuses -hda -hda
refuses 1T -m 1T
refuses 8G -m 8G
refuses -m -m 0
refuses abc -m abc
refuses missing.bin -bios missing.bin
refuses empty.img -bios empty.img
refuses missing.kernel -kernel missing.kernel
refuses good.img -kernel good.img
refuses bogus -cpu bogus
refuses bogus -accel bogus
refuses bogus -serial bogus:
refuses /nonexistent/serial.log -serial file:/nonexistent/serial.log
refuses bogus -device bogus
refuses bogus -icount shift=bogus
refuses bogus -rtc base=bogus
refuses bogus -d bogus
refuses z -boot z
refuses bogus -display bogus
refuses nosuchplugin -plugin nosuchplugin

# A second emulator on an image in use.
emu_start_monitor holder -S -hda good.img
emu_type "info status"
wait_text monitor paused 20
refuses good.img -hda good.img
monitor_quit
refuses good.img -hda good.img -hdb good.img

[ "$before" = "$(cat good.img odd.img secret.img | sha256sum)" ] || fail "an image was changed"
[ ! -s empty.img ] || fail "the empty image was changed"
[ ! -e missing.img ] || fail "the missing image was made"
[ "$refused_wrong" = 0 ] || fail "$refused_wrong cases"
pass "wrong input is refused with one line each"
