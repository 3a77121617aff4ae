# SPDX-License-Identifier: MIT
# What the listener heard of group syscall: each id as often as the guest performed the call, and the
# payloads of some.
import collections
import json
import sys

count = collections.Counter()
first = {}
for line in open(sys.argv[1], encoding="utf-8"):
    if line.startswith("{"):
        o = json.loads(line)
        count[o["event"]] += 1
        first.setdefault(o["event"], []).append(o)

ROUNDS = 8  # 2 passes in 4 threads
want = {
    "VMI_SC_CREATE": 1, "VMI_SC_OPEN": 2, "VMI_SC_READ": 3, "VMI_SC_WRITE": 1,
    "VMI_SC_DUPLICATE_OBJ": 2, "VMI_SC_CREATE_SECTION": 2, "VMI_SC_OPEN_SECTION": 1,
    "VMI_SC_MAP_VIEW_OF_SECTION": 2, "VMI_SCP_CREATE": 1,
    "VMI_SCP_CREATE_EX": 1, "VMI_SCP_OPEN": 1, "VMI_SCP_OPEN_TOKEN": 1, "VMI_SCP_RESUME": 1,
    "VMI_SCP_SUSPEND": 1, "VMI_SCP_ALLOCATE_VIRTUAL_MEMORY": 1,
    "VMI_SCP_ALLOCATE_USER_PHYSICAL_PAGES": 1, "VMI_SCP_QUERY_INFO_PROCESS": 4, "VMI_SCT_CREATE": 1,
    "VMI_SCT_OPEN": 1, "VMI_SCT_OPEN_TOKEN": 1, "VMI_SCT_RESUME": 2, "VMI_SCT_SUSPEND": 1,
}
bad = ["%s: %d times, not %d" % (i, count[i], n * ROUNDS) for i, n in want.items()
       if count[i] != n * ROUNDS]
# 3 closes a pass and one in the callback; each process is terminated once, each other thread too.
for i, n in {"VMI_SC_UNMAP_VIEW_OF_SECTION": ROUNDS + 1, "VMI_SC_CLOSE": 4 * ROUNDS, "VMI_SCP_TERMINATE": ROUNDS + 2, "VMI_SCT_TERMINATE": 2}.items():
    if count[i] != n:
        bad.append("%s: %d times, not %d" % (i, count[i], n))
# The last call of each of the 4 threads is still open when the listener goes.
if count["SYSCALL_ENTRY"] != count["SYSCALL_RETURN"] + 4 or count["SYSCALL_ENTRY"] < 300:
    bad.append("entries %d, ends %d" % (count["SYSCALL_ENTRY"], count["SYSCALL_RETURN"]))


def check(event, **fields):
    if not any(all(o.get(k) == v for k, v in fields.items()) for o in first.get(event, [])):
        bad.append("no %s with %s; the first: %s" % (event, fields, first.get(event, ["none"])[0]))


check("VMI_SC_CREATE", access=1 | 2 | 4 | 8, ret=0)
check("VMI_SC_OPEN", name="\\??\\C:\\WINDOWS\\system32\\kernel32.dll", access=1, ret=0)
check("VMI_SC_WRITE", length=11, done=11, offset=4096, ret=0)
check("VMI_SC_READ", length=64, done=20, offset=-1, ret=0)
check("VMI_SC_READ", length=32, done=0, ret=0x103)
check("VMI_SC_CLOSE", ret=0xc0000008 - (1 << 32))
check("VMI_SCP_OPEN", pid=416, returned=True, ret=0)
check("VMI_SCT_CREATE", pid=100, tid=300, ret=0)
check("VMI_SCP_TERMINATE", returned=False)
check("VMI_SCT_TERMINATE", returned=False)
check("VMI_SC_MAP_VIEW_OF_SECTION", offset=65536, ret=0x40000003)
check("VMI_SCP_QUERY_INFO_PROCESS", information_class=0, length=24, returned_length=24)
for line in bad:
    print(line, file=sys.stderr)
sys.exit(bool(bad))
