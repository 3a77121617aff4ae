#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""json_to_strace.py LOG: the lines of a text log out of syscalls_linux's JSON lines, after checking that each line is
one JSON object whose fields agree with its text."""
import json
import re
import sys


def check(good, line, what):
    if not good:
        sys.exit('%s: %s' % (what, line))


for line in open(sys.argv[1], encoding='utf-8'):
    e = json.loads(line)
    check(isinstance(e, dict) and e['event'] in ('syscall', 'signal', 'exit'), line, 'no event')
    check(e['pid'] > 0 and e['tid'] > 0, line, 'no process')
    text = e['args']
    if e['event'] == 'syscall':
        call = re.match(r'(\w+)\(', text)
        check(call and (call[1] == e['name'] or e['name'] is None and call[1] == 'syscall_%#x' % e['number']),
              line, 'another name')
        result = re.search(r' = (-?(?:0x[0-9a-f]+|\d+))', text[text.rindex(')  ' if ')  ' in text else ') ='):])
        if e['returned'] and result and e['ret'] >= 0 and not text.startswith('umask'):
            check(int(result[1], 0) == e['ret'], line, 'another result')
        if ' = -1 E' in text:
            check(-4095 <= e['ret'] < 0, line, 'no error')
        check(text.endswith('= ?') == (not e['returned']), line, 'returned')
        if text.startswith(('open(', 'openat(', 'execve(', 'stat64(')) and '"' in text and '...' not in text:
            check(('"%s"' % e['path']) in text, line, 'another path')
    print('%-5u %s' % (e['tid'], text))
