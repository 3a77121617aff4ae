# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
# Helpers of the tests that look into Linux guests; on top of those of the boot tests.
. "$(dirname "${BASH_SOURCE[0]}")/../boot/lib.sh"
insight=$source_root/tests/insight
. "$source_root/examples/packages.sh"

# guest_program NAME [compiler options]: a static 32-bit program, as $work/extra/root/NAME
guest_program() {
    local name=$1
    shift
    mkdir -p "$work/extra/root"
    gcc -m32 -O1 -w -march=i686 -o "$work/extra/root/$name" "$insight/$name.c" "$@" ||
        fail "$name.c does not compile; are gcc and gcc-multilib installed?"
}
# need PACKAGE...: tools that the native side of a comparison needs
need() { packages_install "$@" >&2 || fail "$* cannot be installed"; }

# watch NAME IMAGE COMMAND...: boots IMAGE with the monitor commands given before the first instruction.
watch() {
    local name=$1 image=$2 command
    shift 2
    emu_start_monitor "$name" -S -m 128 -os-version Linux -hda "$image" ${EMU_INSIGHT_OPTIONS:-}
    for command in "$@"; do
        emu_type "$command"
    done
    emu_type cont
}
