# SPDX-License-Identifier: MIT
"""Runs the test kernel on emu, QEMU and Bochs, with parameters patched into its image."""
import os
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import time

# Bits of params.features, kernel.h.
FEATURES = dict(VME=1 << 0, PAE=1 << 1, NX=1 << 2, INTR=1 << 3, DEBUG=1 << 4, TASK=1 << 5, REAL=1 << 6, V86=1 << 7,
                PVI=1 << 8, FPU=1 << 9, LIMITS=1 << 10, AC=1 << 11, IDT=1 << 12, STACK_BREAK=1 << 13,
                CR4_RESERVED=1 << 14, PRECISE=1 << 15)
LIST_MAX = 16000
SHUTDOWN_HASH = "f001dead"

BOCHS_CONFIG = """
display_library: rfb, options="timeout=0"
romimage: file={rom}
vgaromimage: file={dir}/vga
megs: 32
cpu: model=p4_prescott_celeron_336, count=1, ips=100000000, reset_on_triple_fault=1, ignore_bad_msrs=0
clock: sync=none
com1: enabled=1, mode=null
port_e9_hack: enabled=1
log: {dir}/log
panic: action=fatal
error: action=ignore
info: action=ignore
debug: action=ignore
plugin_ctrl: speaker=0
"""


def patched(image, detail, first, count, features, flags_mask, drop, numbers, port=0x402):
    """The image with its parameters, struct params of kernel.h."""
    head = struct.pack("<8I", detail, first, count, features, flags_mask, drop, port, len(numbers))
    head += struct.pack("<%dI" % len(numbers), *numbers)
    return image[:8] + head + image[8 + len(head):]


def command(machine, rom, folder):
    if machine.startswith("emu"):
        program, _, accel = machine.partition(":")
        program = os.environ.get("EMU", program)
        return [program, "-bios", rom, "-m", "32M", "-cpu", "pentium4", "-display", "none", "-accel", accel or "interp",
                "-debugcon", "file:" + folder + "/out", "-serial", "null", "-monitor", "none",
                "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-net", "none",
                "-global", "isa-debugcon.iobase=0x402"]
    if machine == "qemu":
        return ["qemu-system-i386", "-bios", rom, "-m", "32M", "-cpu", "pentium3,+nx,+sse2,+clflush", "-accel", "tcg",
                "-display", "none", "-debugcon", "file:" + folder + "/out", "-serial", "null", "-monitor", "none",
                "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-net", "none", "-nodefaults", "-vga", "none",
                "-global", "isa-debugcon.iobase=0x402"]
    if machine == "kvm":
        line = command("qemu", rom, folder)
        line[line.index("tcg")] = "kvm"
        line[line.index("-cpu") + 1] = "host"
        return line
    if machine == "bochs":
        with open(folder + "/bochsrc", "w", encoding="ascii") as file:
            file.write(BOCHS_CONFIG.format(rom=rom, dir=folder))
        with open(folder + "/commands", "w", encoding="ascii") as file:  # Debian's Bochs stops in its debugger
            file.write("c\n" * 20000)  # and again at each triple fault
        with open(folder + "/vga", "wb") as file:  # an empty option ROM: it insists on one
            head = b"\x55\xaa\x01\xcb"
            file.write(head + bytes(507) + bytes([-sum(head) & 0xff]))
        return ["bochs", "-q", "-f", folder + "/bochsrc", "-rc", folder + "/commands"]
    raise SystemExit("unknown machine %r" % machine)


START_LIMIT = 60  # seconds until a machine must have started the kernel
IDLE_FACTOR = 8   # a machine that halts uses no processor time


def processor_time(pid):
    """Seconds of processor time of a process; a busy host makes them pass slower than a clock."""
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except OSError:
        return 0.0


def run(machine, image, detail=0, first=0, count=0, features=0, flags_mask=0, drop=0, numbers=(), timeout=600, stall=20):
    """The lines after the EMUDIFF header, and whether END came. A program that hangs ends the list."""
    folder = tempfile.mkdtemp(prefix="diff-")
    try:
        rom = folder + "/rom"
        with open(rom, "wb") as file:
            file.write(patched(image, detail, first, count, features, flags_mask, drop, list(numbers),
                               0xe9 if machine == "bochs" else 0x402))
        out = folder + "/out"
        stdout = open(out, "wb") if machine == "bochs" else subprocess.DEVNULL
        errors = open(folder + "/errors", "wb")
        process = subprocess.Popen(command(machine, rom, folder), stdin=subprocess.DEVNULL, stdout=stdout, stderr=errors,
                                   start_new_session=True, cwd=folder)
        start = grown = time.monotonic()
        used = 0.0
        size = 0
        started = False
        while process.poll() is None:
            time.sleep(0.02)
            now = time.monotonic()
            current = os.path.getsize(out) if os.path.exists(out) else 0
            if current != size:
                size, grown, used = current, now, processor_time(process.pid)
                if not started:
                    with open(out, "rb") as file:
                        started = b"EMUDIFF\n" in file.read(65536)
                if machine == "bochs":
                    with open(out, "rb") as file:
                        file.seek(max(0, current - 8))
                        if file.read().endswith(b"END\n"):
                            break
            if now - grown > stall:
                limit = stall if started else START_LIMIT
                if processor_time(process.pid) - used > limit or now - grown > max(limit, IDLE_FACTOR * stall):
                    break
            if now - start > timeout:
                break
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        complaint = open(folder + "/errors", "rb").read(4000).decode(errors="replace")
        if "lockstep:" in complaint:
            raise SystemExit("%s: %s" % (machine, complaint))
        text = open(out, "rb").read().decode("latin-1") if os.path.exists(out) else ""
        text = re.sub(r"<bochs:.*", "", text)
        if "EMUDIFF\n" not in text:
            raise SystemExit("%s: the kernel did not start: %s" % (machine, open(folder + "/errors", "rb").read(2000).decode()))
        text = text[text.index("EMUDIFF\n") + 8:].replace("\n\n", "\n")
        if os.environ.get("DIFF_VERBOSE"):
            print("exit", process.returncode, open(folder + "/errors").read()[-500:])
        ended = "END\n" in text
        if ended:
            text = text[:text.index("END\n")]
        return text.splitlines(), ended
    finally:
        shutil.rmtree(folder, ignore_errors=True)
