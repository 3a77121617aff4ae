#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""load-time.py [-n ROUNDS] [-e EMU] [PLUGIN...]: how long load_plugin and unload_plugin take on a busy guest.

Boots the Debian disk to a loop of programs and pipes, then loads and unloads each plugin ROUNDS times at the monitor. A
time goes from sending the command to the prompt's return: blocks made without the plugin are gone then, the guest has not
run on in between. That a plugin counts the guest that runs is looked at each time. Prints medians and maxima of wall time
and of the CPU time of emu's process, which is what a busy host does not spoil."""
import argparse
import ctypes
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUSY = "while :; do ls -lR /bin /etc | sort | md5sum; done >/dev/null 2>&1 & echo BUSY >/dev/ttyS0; wait"


class Emu:
    def __init__(self, program, image, folder):
        path = os.path.join(folder, "monitor")
        self.process = subprocess.Popen(
            [program, "-m", "256", "-hda", image, "-snapshot", "-display", "none", "-serial", "stdio", "-monitor",
             f"unix:{path},server=on,wait=off"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        clock = ctypes.c_int()
        ctypes.CDLL(None).clock_getcpuclockid(self.process.pid, ctypes.byref(clock))
        self.clock = clock.value
        for line in self.process.stdout:
            if b"BUSY" in line:
                break
        else:
            sys.exit("load-time.py: emu ended before the guest was up")
        self.monitor = socket.socket(socket.AF_UNIX)
        self.monitor.settimeout(60)
        self.monitor.connect(path)
        self.read_prompt()

    def read_prompt(self):
        answer = b""
        while not answer.endswith(b"(emu) "):
            answer += self.monitor.recv(65536)
        return answer.decode()

    def command(self, text):
        """The answer, and the wall and CPU milliseconds until it was there."""
        cpu, wall = time.clock_gettime(self.clock), time.monotonic()
        self.monitor.sendall(text.encode() + b"\n")
        return self.read_prompt(), (time.monotonic() - wall) * 1e3, (time.clock_gettime(self.clock) - cpu) * 1e3


def numbers(text):
    return [int(n) for n in re.findall(r"\d+", text.replace("(emu)", ""))]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-n", type=int, default=20)
    parser.add_argument("-e", default=os.path.join(ROOT, "build", "emu"))
    parser.add_argument("plugins", nargs="*", default=["icount", "bblock", "coverage", "memtrace"])
    options = parser.parse_args()
    image = subprocess.check_output([os.path.join(ROOT, "examples/guests/make-disk.sh"), "--kernel", "686", "--run", BUSY],
                                    text=True).split()[-1]
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        emu = Emu(options.e, image, folder)
        print(f"{'milliseconds':14}{'load, median':>14}{'max':>8}{'CPU':>8}{'unload, median':>18}{'max':>8}{'CPU':>8}", flush=True)
        for plugin in options.plugins:
            times = {"load": [], "unload": []}
            for _ in range(options.n):
                for what in times:
                    answer, wall, cpu = emu.command(f"{what}_plugin {plugin}")
                    times[what].append((wall, cpu))
                    if what == "load":
                        time.sleep(0.02)
                        if not any(n > 0 for n in numbers(emu.command(plugin)[0])):
                            print(f"load-time.py: {plugin} saw nothing 20 ms after it was loaded: {answer!r}")
                            bad = 1
                    time.sleep(0.02)
            row = f"{plugin:14}"
            for what, width in (("load", 14), ("unload", 18)):
                walls, cpus = [w for w, _ in times[what]], [c for _, c in times[what]]
                row += f"{statistics.median(walls):{width}.2f}{max(walls):8.2f}{statistics.median(cpus):8.2f}"
            print(row, flush=True)
        emu.process.kill()
        emu.process.wait()
    return bad


if __name__ == "__main__":
    sys.exit(main())
