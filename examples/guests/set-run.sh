#!/bin/bash
# SPDX-License-Identifier: MIT
# Changes what an image made by make-disk.sh or make-debian.sh does at its next boot, without rebuilding it.
set -euo pipefail
export PATH=$PATH:/sbin:/usr/sbin MTOOLS_SKIP_CHECK=1

usage() {
    cat <<'TEXT'
usage: set-run.sh IMAGE [--append WORDS] [--no-poweroff] [COMMANDS]

Writes the kernel command line of IMAGE's boot loader. COMMANDS is shell text that the guest runs as root once it is
up; it powers off afterwards unless --no-poweroff is given. Without COMMANDS the guest starts its shells.
--append adds words for the kernel, for example "quiet" or "nolapic".
TEXT
}
fail() { echo "set-run.sh: $*" >&2; exit 1; }

image="" commands="" append="" poweroff=1
while [ $# -gt 0 ]; do
    case $1 in
    --append) [ $# -gt 1 ] || fail "--append needs words for the kernel"; append=$2; shift ;;
    --no-poweroff) poweroff=0 ;;
    -h | --help) usage; exit 0 ;;
    -*) fail "unknown option $1 (see --help)" ;;
    *) if [ -z "$image" ]; then image=$1; elif [ -z "$commands" ]; then commands=$1; else
        fail "more than one command list; quote it"; fi ;;
    esac
    shift
done
[ -n "$image" ] || { usage >&2; exit 1; }
[ -w "$image" ] || fail "$image: not a file that can be written"

fat="$image@@1M"
line="root=/dev/sda2 console=tty0 console=ttyS0,115200"
[ -z "$append" ] || line="$line $append"
if [ -n "$commands" ]; then
    line="$line emu.run64=$(printf '%s' "$commands" | base64 -w 0)"
    [ "$poweroff" = 0 ] || line="$line emu.poweroff=1"
    words=$(mtype -i "$fat" ::/words 2>/dev/null) || words= # what else this guest needs to run a list
    [ -z "$words" ] || line="$line $words"
fi
[ ${#line} -lt 1900 ] || fail "the kernel command line would be ${#line} characters; at most 1900 fit"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if mdir -b -i "$fat" ::/grub.cfg >/dev/null 2>&1; then
    cat >"$work/grub.cfg" <<TEXT
serial --unit=0 --speed=115200
terminal_input console serial
terminal_output console serial
set timeout=0
menuentry "Debian GNU/Linux" {
    echo "GRUB: loading the kernel"
    linux /vmlinuz $line
    initrd /initrd.img
}
TEXT
    mcopy -o -i "$fat" "$work/grub.cfg" ::/grub.cfg
elif mdir -b -i "$fat" ::/syslinux.cfg >/dev/null 2>&1; then
    cat >"$work/syslinux.cfg" <<TEXT
SERIAL 0 115200
PROMPT 0
DEFAULT debian
LABEL debian
    KERNEL vmlinuz
    INITRD initrd.img
    APPEND $line
TEXT
    mcopy -o -i "$fat" "$work/syslinux.cfg" ::/syslinux.cfg
else
    fail "$image: not an image made by make-disk.sh or make-debian.sh"
fi
