# SPDX-License-Identifier: MIT
# A log of Recurse alone, cut anywhere: in each thread argument and result fit at every depth.
import collections
import re
import sys

stacks = collections.defaultdict(list)
started = set()
matched = 0
for line in open(sys.argv[1], encoding="utf-8"):
    m = re.match(r"(\w+ \w+) (call|return) kernel32\.dll!Recurse(?:\(0x(\w+)\) from| = 0x(\w+)$)", line)
    if not m:
        sys.exit("a line that is none: " + line)
    thread = m[1]
    if m[2] == "call":
        n = int(m[3], 16)
        if thread in started and stacks[thread] and stacks[thread][-1] != n + 1:
            sys.exit("%s: Recurse(%d) inside of Recurse(%d)" % (thread, n, stacks[thread][-1]))
        started.add(thread)
        stacks[thread].append(n)
    elif stacks[thread]:
        n = stacks[thread].pop()
        if int(m[4], 16) != 100 + n:
            sys.exit("%s: Recurse(%d) = %d" % (thread, n, int(m[4], 16)))
        matched += 1
sys.exit("only %d returns" % matched if matched < 500 else 0)
