#!/bin/bash
# SPDX-License-Identifier: MIT
# quickstart.sh [IMAGE] [emu options]: installs what the build needs, builds emu, makes a Debian disk unless IMAGE is
# given, and boots it with the monitor on this terminal. Running it again only does what is left to do.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/examples/packages.sh"

case ${1:-} in
-h | --help)
    cat <<'TEXT'
usage: quickstart.sh [IMAGE] [emu options]

IMAGE is a raw disk image to boot; without it a small Debian i386 disk is made from packages and kept as
build/quickstart.img. The monitor is on standard input and output; the guest's serial console goes to
build/serial.log, or where EMU_SERIAL says (EMU_SERIAL=pty gives a terminal with a shell).
TEXT
    exit 0
    ;;
esac
image=
case ${1:-} in
'' | -*) ;;
*)
    image=$(realpath -- "$1") && [ -f "$image" ] || { echo "quickstart.sh: $1: no such image" >&2; exit 1; }
    shift
    ;;
esac

echo "== packages"
packages_install $PACKAGES_BUILD
echo "== build"
cd "$root"
mkdir -p build
cmake --preset release >build/configure.log 2>&1 || {
    cat build/configure.log >&2
    echo "quickstart.sh: the build could not be configured" >&2
    exit 1
}
cmake --build --preset release --target emu
if [ -z "$image" ]; then
    image=$root/build/quickstart.img
    if [ ! -f "$image" ]; then
        echo "== disk image"
        "$root/examples/guests/make-disk.sh" -o "$image"
    fi
fi
serial=${EMU_SERIAL:-file:$root/build/serial.log}
case $serial in
file:*) : >"${serial#file:}" ;;
esac
cat <<TEXT
== boot
disk image      $image
serial console  $serial
The prompt below is emu's monitor: "help" lists its commands, "quit" ends it. While the guest boots, try
  load_plugin example2
  list_plugins
  info status
TEXT
exec "$root/build/emu" -hda "$image" -monitor stdio -serial "$serial" "$@"
