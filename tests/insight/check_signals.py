#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_signals.py FOLDER: is what linux-signals.sh's listener and the logs hold what ids.c and library.c do?"""
import json
import re
import sys

folder = sys.argv[1]
bad = 0
heard = {}
total = None
for line in open(folder + '/heard'):
    if line.startswith('SUM'):
        total = [int(n) for n in re.findall(r'\d+', line)]
        continue
    pid, text = line.rstrip('\n').split(' ', 1)
    heard.setdefault(int(pid), []).append(text)


def complain(what):
    global bad
    print(what)
    bad += 1


def check_order(lines, wanted, name):
    """All of wanted, in that order, among the lines."""
    at = 0
    for text in wanted:
        found = [i for i in range(at, len(lines)) if re.fullmatch(text, lines[i])]
        if found:
            at = found[0] + 1
        else:
            complain('%s: no %s%s' % (name, text, ' (in that order)' if any(re.fullmatch(text, x) for x in lines) else ''))


IDS = [
    r'PROCESS_EXEC ids',
    r'FILE_CREATE ids /tmp/ids-file 3 to 0 access 14 at -1 ""',
    r'VMI_SC_CREATE /tmp/ids-file handle 3 access 14 ret 3',
    r'FILE_CLOSE ids /tmp/ids-file 3 .*',
    r'VMI_SC_CLOSE handle 3 ret 0',
    r'FILE_OPEN ids /tmp/ids-file 3 to 0 access 19 .*',
    r'VMI_SC_OPEN /tmp/ids-file handle 3 access 19 ret 3',
    r'FILE_WRITE ids /tmp/ids-file 3 .* "seven b"',
    r'VMI_SC_WRITE handle 3 length 7 "seven b" ret 7',
    r'FILE_READ ids /tmp/ids-file 3 to 0 access 0 at 2 "ven b"',
    r'VMI_SC_READ handle 3 length 20 "ven b" ret 5',
    r'VMI_SC_WRITE handle 3 length 4 "ends" ret 4',
    r'VMI_SC_CLOSE handle 3 ret 0',
    r'VMI_SC_OPEN /tmp/ids-file handle 3 access 1 ret 3',
    r'VMI_SC_READ handle 3 length 32 "seven bends" ret 11',
    r'VMI_SC_READ handle 99 length 32 "" ret -9',
    r'VMI_SC_MMAP length 4096 offset 0 handle 3 prot 1 flags 0x2 mapped',
    r'VMI_SC_MMAP length 8192 offset 0 handle -1 prot 1 flags 0x22 mapped',
    r'FILE_DUPLICATE ids /tmp/ids-file 3 to 20 .*',
    r'OPEN /tmp/ids-file at 11, same [01]',
    r'OPEN /tmp/ids-file at 11, same 1',
    r'FILE_CLOSE ids /tmp/ids-file 20 .*',
    r'VMI_SC_CLOSE handle 20 ret 0',
    r'VMI_SC_CLOSE handle 3 ret 0',
    r'VMI_SC_OPEN /nonexistent/file handle -2 access 14 ret -2',
    r'VMI_SCP_GETPID flags 0 no child self',
    r'VMI_SCP_GETPPID flags 0 no child number',
    r'VMI_SCP_FORK flags 0 child number',
    r'VMI_SCP_EXECVE /nonexistent \["one", "two"\] ret 0',
    r'VMI_SCP_EXECVE_END /nonexistent \["one", "two"\] ret -2',
    r'VMI_SCP_CLONE flags 0x10f00 child number',
    r'PROCESS_EXIT process 5',
]
parents = [p for p in heard if 'PROCESS_EXEC ids' in heard[p]]
if len(parents) != 1:
    sys.exit('ids was executed %d times' % len(parents))
lines = heard[parents[0]]
check_order(lines, IDS, 'ids')
for text in ('PROCESS_START thread', 'SYSCALL_ABANDONED pause', 'SYSCALL_ABANDONED exit_group', 'PROCESS_EXIT thread 5'):
    if text not in lines:
        complain('ids: no ' + text)
children = [p for p in heard if p > parents[0] and 'PROCESS_EXIT process 3' in heard[p] and
            'PROCESS_EXEC library' not in heard[p]]
if not children or 'SYSCALL_ABANDONED exit' not in heard[children[0]]:
    complain('ids: its child was not heard of')

libraries = [p for p in heard if 'PROCESS_EXEC library' in heard[p]]
if len(libraries) != 1:
    sys.exit('library was executed %d times' % len(libraries))
check_order(heard[libraries[0]], [r'OWN libc.so.6!puts\("42"\)', r'OWN libc.so.6!puts returned 3',
                                  r'OWN libc.so.6!memcpy length 10', r'OWN libc.so.6!memcpy length 12',
                                  r'OWN libc.so.6!puts\("done"\)', r'OWN libc.so.6!puts returned 5'], 'library')
if not total or not total[0] >= total[1] > 60 or total[0] - total[1] > 6 or total[2] < 300 or \
        abs(total[2] - total[3]) > total[2] // 4:
    complain('sums: %s' % total)

# Logs that the plugins' arguments asked for.
calls = open(folder + '/calls.log').read()
for text in ('write(3, "seven"..., 7)', 'openat(AT_FDCWD, "/tmp/ids-file", O_RDONLY)', '+++ exited with 5 +++'):
    if text not in calls:
        complain('calls.log: no ' + text)
if 'library' in calls or '/etc/group' in calls:
    complain('calls.log: others are in it')
files = [json.loads(line) for line in open(folder + '/files.json')]
reads = [e for e in files if e['event'] == 'FILE_READ' and e['name'] == '/etc/group' and e['length'] > 3]
if not reads or len(bytes.fromhex(reads[0]['bytes'])) != 3 or {e['process'] for e in files} != {'md5sum'}:
    complain('files.json: %s' % files[:3])
api = [json.loads(line) for line in open(folder + '/api.json')]
if {e['process'] for e in api} != {'library'} or \
        not [e for e in api if e['event'] == 'API_RETURN' and e['function'] == 'strlen' and e['result'] in (13, '0x0000000d', '0xd')]:
    complain('api.json: %s' % [e for e in api if e['function'] == 'strlen'][:2])
if not re.search(r'EXEC tid \d+ parent \d+ "ids"', open(folder + '/processes.log').read()):
    complain('processes.log: no exec of ids')
print('%d lines of ids, %d of library' % (len(lines), len(heard[libraries[0]])))
sys.exit(bad != 0)
