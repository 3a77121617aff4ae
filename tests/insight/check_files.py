#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_files.py LOG DATA: does file_monitor's log say what files-guest.sh did?"""
import json
import sys

events = [json.loads(line) for line in open(sys.argv[1])]
data = open(sys.argv[2], 'rb').read()
bad = 0


def check(what, good):
    global bad
    if not good:
        print('not in the log:', what)
        bad += 1


def find(event, process, name, **more):
    return [e for e in events if e['event'] == event and e['process'] == process and
            e['name'] == name and all(e[k] == v for k, v in more.items())]


def content(process, pid_of):
    reads = [e for e in find('FILE_READ', process, '/root/data.bin') if e['pid'] == pid_of]
    return b''.join(bytes.fromhex(e['bytes']) for e in reads)


for process, name in (('head', '/root/data.bin'), ('dd', '/root/data.bin'), ('dd', '/tmp/copy'),
                      ('cat', '/etc/group'), ('ls', '/etc'),
                      ('files-guest.sh', '/root/files-guest.sh'),
                      ('files-guest.sh', '/etc/passwd')):
    check('open of %s by %s' % (name, process), find('FILE_OPEN', process, name))
for name in ('/tmp/sum', '/tmp/line', '/tmp/group', '/tmp/list'):
    check('open of %s' % name, [e for e in events if e['event'] == 'FILE_OPEN' and e['name'] == name
                                and e['access'] & 6 == 6])
heads = {e['pid'] for e in find('FILE_READ', 'head', '/root/data.bin')}
check('one head', len(heads) == 1)
for pid in heads:
    check('the bytes that head read', content('head', pid) == data)
copied = b''.join(bytes.fromhex(e['bytes']) for e in find('FILE_WRITE', 'dd', '/tmp/copy'))
check('the bytes that dd wrote', copied == data[3000:8000])
offsets = [e['offset'] for e in find('FILE_WRITE', 'dd', '/tmp/copy')]
check('their offsets', offsets == [0, 1000, 2000, 3000, 4000])
offsets = [e['offset'] for e in find('FILE_READ', 'wc', '/root/data.bin') if e['length']]
check('redirected input of wc', offsets and offsets[0] == 0 and
      sum(e['length'] for e in find('FILE_READ', 'wc', '/root/data.bin')) == len(data))
check('a pipe between head and md5sum',
      {e['name'] for e in events if e['process'] == 'head' and e['event'] == 'FILE_WRITE'} &
      {e['name'] for e in events if e['process'] == 'md5sum' and e['event'] == 'FILE_READ'})
check('duplicate of /etc/passwd', find('FILE_DUPLICATE', 'files-guest.sh', '/etc/passwd', new_handle=6))
check('a line read through it', find('FILE_READ', 'files-guest.sh', '/etc/passwd'))
check('close of both', {5, 6} <= {e['handle'] for e in find('FILE_CLOSE', 'files-guest.sh', '/etc/passwd')})
print('%d events' % len(events))
sys.exit(bad != 0)
