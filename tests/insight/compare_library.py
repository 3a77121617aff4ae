#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""compare_library.py SHIM LOG: are the calls that the preloaded shim saw natively those that
api_monitor_linux saw the same program make in the guest? Calls of functions that the shim does not
wrap are left out. The processes are compared one after the other."""
import difflib
import re
import sys

POINTERS = {'getenv', 'strdup', 'malloc', 'realloc', 'calloc', 'fopen', 'fork', 'memset', 'memcpy',
            'strcpy', 'strchr', 'strrchr', 'memchr', 'memcmp', 'strcmp', 'strncmp'}


def guest_lines(path, names):
    threads = {}
    for line in open(path, errors='replace'):
        match = re.match(r'(\d+) \S+ [^!]+!(\w+)(\(.*\) from \w+|(?:\(.*\))? returned \w+)$', line.rstrip('\n'))
        if not match or match[2] not in names:
            continue
        text = re.sub(r' from \w+$', '', match[2] + match[3])
        late = re.match(r'(\w+)(\(.*\))( returned .*)', text)
        if late:  # strings whose page was not present at the call stand at its return
            lines = threads[int(match[1])]
            call = max(i for i, line in enumerate(lines) if line.startswith(late[1] + '('))
            lines[call] = late[1] + late[2]
            text = late[1] + late[3]
        text = re.sub(r'0x[0-9a-f]{5,}(?=[,)])', 'P', text)
        if match[2] in POINTERS and ' returned ' in text:
            text = re.sub(r'returned 0x[1-9a-f][0-9a-f]*$', 'returned P', text)
        text = text.replace('returned 0x0', 'returned 0')
        threads.setdefault(int(match[1]), []).append(text)
    return [threads[pid] for pid in sorted(threads)]


def main():
    native = [line.rstrip('\n') for line in open(sys.argv[1])]
    names = {re.match(r'\w+', line)[0] for line in native}
    threads = guest_lines(sys.argv[2], names)
    # The shim's file holds both processes; the child's part is what follows its fork's return.
    start = next(i for i, line in enumerate(native) if line == 'fork returned 0')
    end = next(i for i in range(start, len(native)) if native[i].startswith('atoi returned'))
    child, parent = native[start:end + 1], native[:start] + native[end + 1:]
    threads += [[]] * (2 - len(threads))
    differences = 0
    for name, a, b in ('parent', parent, threads[0]), ('child', child[1:], threads[1]):
        for line in difflib.unified_diff(a, b, 'native ' + name, 'guest ' + name, '', '', 0, ''):
            if line[0] in '+-' and line[:3] not in ('+++', '---'):
                differences += 1
            print(line)
    print('%d calls and returns compared, %d differ' % (len(native), differences))
    sys.exit(differences != 0 or len(native) < 50)


main()
