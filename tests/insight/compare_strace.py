#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""compare_strace.py STRACE LOG: are the calls that strace -f -o wrote natively those that
syscalls_linux logged in the guest, thread by thread and line by line?

Normalised: addresses, process numbers, machine and environment, times. Not compared, because only a
tracer sees it: signals that no handler catches; the details of a signal whose handler is not
SA_SIGINFO (the kernel tells the process its number only)."""
import difflib
import re
import sys

PID_RESULT = re.compile(r'^(?:fork|vfork|clone|clone3|wait4|waitpid|getpid|getppid|gettid|getpgrp|'
                        r'set_tid_address)\(')
RULES = [
    (r'0x[0-9a-f]{5,}', 'ADDR'),
    (r'/\* \d+ vars \*/', '/* VARS */'),
    (r'nodename="[^"]*"', 'nodename=NAME'),
    (r'^readlink\("/proc/self/exe", .*', 'readlink of the program'),
    (r'^execve\("[^"]*calls", \["[^"]*"\]', 'execve(PROGRAM'),
    (r'^getrandom\("[^"]+"', 'getrandom(BYTES'),
    (r'^(clock_nanosleep|nanosleep)(.*), \{tv_sec=\d+, tv_nsec=\d+\}\) = \?', r'\1\2, REST) = ?'),
    (r'^readlink\("[^"]*more".*', 'readlink of the program'),
    (r'^(sysinfo\().*(mem_unit=)\d+', r'\1\2N'),
    (r'^(statfs64\("/proc", 84, \{f_type=PROC_SUPER_MAGIC).*', r'\1'),
    (r'left \{tv_sec=\d+, tv_[nu]sec=\d+\}', 'left TIME'),
    (r'^(epoll_pwait2\(\d+, \[\], 4, )\{.*?\}', r'\1TIME'),
    (r'(ru_[us]time=)\{.*?\}', r'\1TIME'),
    (r', si_utime=\d+(?: /\*.*?\*/)?, si_stime=\d+(?: /\*.*?\*/)?', ''),
    (r'^(getpid|getppid|gettid)\(\) *= \d+', r'\1() = PID'),
    (r'^((?:rt_sigqueueinfo|process_vm_readv|pidfd_open|waitid)\((?:P_PID, )?)\d{1,7}\b', r'\1PID'),
    (r'entry_number=\d+', 'entry_number=N'),
    (r'stx_mode=S_IFDIR\|(\d+), stx_size=\d+', r'stx_mode=S_IFDIR|\1, stx_size=N'),
    (r'tms_(\w+)=\d+', r'tms_\1=T'),
    (r'^(times\(.*\)) = \d+', r'\1 = T'),
    (r'si_pid=\d+', 'si_pid=PID'),
    (r'parent_tid=\[\d+\]', 'parent_tid=[PID]'),
    (r'^((?:kill|tgkill|tkill)\()(\d{1,7}(?:, \d+)??)(, SIG|, 100)', r'\1PID\3'),
    (r'stx_mask=[A-Z_|]*', 'stx_mask=MASK'),
    (r'^(wait4|waitpid)\(\d+', r'\1(PID'),
    (r'^(futex\(ADDR, FUTEX_WAIT_BITSET\|FUTEX_CLOCK_REALTIME), \d+', r'\1, TID'),
]


def read(path):
    threads, unfinished = {}, {}
    for line in open(path, errors='replace'):
        match = re.match(r'(\d+) +(.*)', line.rstrip('\n'))
        if not match:
            continue
        pid, text = int(match[1]), match[2]
        lines = threads.setdefault(pid, [])
        if text.endswith('<unfinished ...>'):
            unfinished[pid] = text[:-len('<unfinished ...>')].rstrip(' ')
            continue
        resumed = re.match(r'<\.\.\. \w+ resumed>(.*)', text)
        if resumed and pid in unfinished:
            head = unfinished.pop(pid)
            tail = resumed[1]
            if head.endswith(',') and not tail.startswith(' '):
                head += ' '
            text = head + tail
        lines.append(text)
    return threads


def normalise(lines):
    result = []
    for i, text in enumerate(lines):
        signal = re.match(r'--- (SIG\w+)', text)
        if text.startswith('--- stopped by'):
            continue
        if signal:
            if signal[1] in ('SIGCHLD', 'SIGSTOP'):
                continue
            if i + 1 < len(lines) and lines[i + 1].startswith('+++ killed by ' + signal[1]):
                continue
        text = re.sub(r'\) +=', ') =', text)
        for pattern, by in RULES:
            text = re.sub(pattern, by, text)
        if PID_RESULT.match(text):
            text = re.sub(r'= [1-9]\d*$', '= PID', text)
        # Whether a thread that is joined has ended by then is a matter of speed.
        if text.startswith('futex(ADDR, FUTEX_WAIT_BITSET|FUTEX_CLOCK_REALTIME, TID'):
            continue
        result.append(text)
    # A machine that just booted has no random numbers yet; the library then takes the time instead.
    for i, text in enumerate(result):
        if text.startswith('getrandom(ADDR, 4, GRND_NONBLOCK) = -1 EAGAIN'):
            result[i] = 'getrandom(BYTES, 4, GRND_NONBLOCK) = 4'
            if result[i + 1:i + 2] and result[i + 1].startswith('clock_gettime64'):
                del result[i + 1]
    return result


def main():
    native, guest = read(sys.argv[1]), read(sys.argv[2])
    differences = compared = 0
    if len(native) != len(guest):
        print('threads: %d natively, %d in the guest' % (len(native), len(guest)))
        differences += 1
    for n, g in zip(sorted(native), sorted(guest)):
        a, b = normalise(native[n]), normalise(guest[g])
        for k, y in enumerate(b):
            if y.startswith('--- ') and '{' not in y:
                a = [re.sub(r' \{.*\}', '', x) if x.startswith(y[:-4]) else x for x in a]
        compared += len(a)
        for line in difflib.unified_diff(a, b, 'native %d' % n, 'guest %d' % g, '', '', 0, ''):
            if line[0] in '+-' and line[:3] not in ('+++', '---'):
                differences += 1
            print(line)
    print('%d lines of %d threads compared, %d differ' % (compared, len(native), differences))
    sys.exit(differences != 0 or compared < 100)


main()
