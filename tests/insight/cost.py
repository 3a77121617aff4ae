#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""cost.py PID FOLDER ROUNDS [TURN...]: steers the measurement of linux-cost.sh. Monitor commands go to standard output."""
import glob
import statistics
import sys
import time

pid, folder, rounds, only = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]
LOG = folder + '/log'
TURNS = [
    ('no plugin', None, None),
    ('processes', 'processes', None),
    ('syscalls_linux', 'syscalls_linux', None),
    ('syscalls_linux, all calls to a file', 'syscalls_linux', 'enable_syscall_log ' + LOG),
    ('file_monitor', 'file_monitor', None),
    ('file_monitor, all files to a file', 'file_monitor', 'enable_filemon_log ' + LOG),
    ('api_monitor_linux', 'api_monitor_linux', None),
    ('api_monitor_linux, all calls to a file', 'api_monitor_linux', 'enable_api_log ' + LOG),
]
TURNS = [t for t in TURNS if not only or t[0] in only]
WORK = ('compute', 'calls', 'mixed')
position = 0


def processor_time():
    return sum(int(open(f).read().split()[0]) for f in glob.glob('/proc/%s/task/*/schedstat' % pid)) / 1e9


def wait_line(*wanted):
    """The guest's next line that is one of those."""
    global position
    while True:
        with open(folder + '/cost.serial', 'rb') as f:
            f.seek(position)
            data = f.read()
        while b'\n' in data:
            line, data = data.split(b'\n', 1)
            position += len(line) + 1
            if line.decode(errors='replace').strip() in wanted:
                return line.decode().strip()
        time.sleep(0.002)


def say(command):
    print(command, flush=True)


results = {}
for turn in range(rounds * len(TURNS)):
    name, plugin, command = TURNS[turn % len(TURNS)]
    wait_line('ROUND')
    if plugin:
        say('load_plugin ' + plugin)
    if command:
        say(command)
    # One round to get used to it: code is translated anew, images are read.
    wait_line('ROUND')
    for work in WORK:
        before = processor_time()
        wait_line('DONE ' + work)
        results.setdefault((name, work), []).append(processor_time() - before)
    if plugin:
        say('stop_plugin processes')
with open(folder + '/raw', 'w') as out:
    for (name, work), times in results.items():
        out.write('%s, %s: %s\n' % (name, work, ' '.join('%.3f' % t for t in times)))
with open(folder + '/result', 'w') as out:
    out.write('%-42s' % 'processor time' + ''.join('%18s' % w for w in WORK) + '\n')
    for name, _, _ in TURNS:
        cells = []
        for work in WORK:
            t, base = (statistics.median(results[n, work]) for n in (name, TURNS[0][0]))
            cells.append('%9.2f s %5.2fx' % (t, t / base))
        out.write('%-42s' % name + ''.join('%18s' % c for c in cells) + '\n')
