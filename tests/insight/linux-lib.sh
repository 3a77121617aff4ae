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

# natively COMMAND...: runs it in this directory as the guest would: no descriptor but 0, 1 and 2, which the caller may
# have opened more of, signals at their defaults, no core file, input from /dev/null.
natively() {
    python3 -c '
import resource, os, signal, subprocess, sys
def plain():
    os.umask(0o022)
    os.environ["TZ"] = "UTC"
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for s in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(s, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
sys.exit(subprocess.call(sys.argv[1:], stdin=subprocess.DEVNULL, preexec_fn=plain))' "$@"
}

# The guests' kernels get no_timer_check: their check of the timer counts ticks in a span of the time stamp counter, and
# stops the kernel when a busy host gave the emulator no processor meanwhile.
#
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
