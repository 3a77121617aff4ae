#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the same programs on two machines and explains where they differ.

diff.py [--image ROM] [--features A,B | all] [--mask HEX] [--first N] [--programs N] MACHINE PEER
    compares; prints the signatures of the differences that explained.tsv does not cover, most frequent first
diff.py --show N MACHINE...      one program in detail on each machine, disassembled
diff.py --minimise N MACHINE PEER
diff.py --record FILE MACHINE PEER    writes vectors: a hash of each group of programs, and the image
diff.py --check FILE MACHINE     compares with them; needs neither compiler nor peer
"""
import argparse
import collections
import concurrent.futures
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import zlib

import peers

HERE = os.path.dirname(os.path.abspath(__file__))
GROUP = 16  # programs behind one stored hash
ALONE_MAX = 400  # unexplained programs of a comparison that are run again, each by itself


def collect(machine, image, numbers, detail, settings):
    """Outcome of each program: a hash or, with detail, the list of its lines. Hangs and crashes are skipped over."""
    outcome = {}
    numbers = list(numbers)
    while numbers:
        part = numbers[:peers.LIST_MAX] if detail or numbers != list(range(numbers[0], numbers[0] + len(numbers))) else numbers
        whole = part is numbers
        lines, ended = peers.run(machine, image, detail=int(detail), first=part[0], count=len(part),
                                 numbers=() if whole else part, **settings)
        done = []
        if detail:
            block = []
            for line in lines:
                block.append(line)
                if line.startswith("H "):
                    done.append(block)
                    block = []
        else:
            done = [line for line in lines if len(line) == 8]
        for number, value in zip(part, done):
            outcome[number] = value
        rest = part[len(done):]
        if rest:
            if ended:
                raise SystemExit("%s: %d outcomes are missing" % (machine, len(rest)))
            outcome[rest[0]] = block + ["H hang"] if detail else "hang"
            print("%s: program %d hangs or ends the machine" % (machine, rest[0]), file=sys.stderr)
            rest = rest[1:]
        numbers = rest + ([] if whole else numbers[len(part):])
    return outcome


def fields(line):
    return dict(item.split("=", 1) for item in line.split() if "=" in item)


def memory_place(address):
    places = ((0xa000, "code"), (0xc000, "data"), (0xd000, "stack"), (0xd200, "gdt"), (0xd400, "ldt"), (0xd600, "idt"),
              (0xd800, "tss_main"), (0xd900, "tss_a"), (0xda00, "tss_b"), (0xdb00, "tss_c"), (0xdc00, "tss_df"),
              (0xe000, "pdpt"), (0xf000, "page_dir"), (0x10000, "page_table"))
    for end, name in places:
        if address < end:
            return name
    return "?"


def signature(mine, other):
    """What differs first, as one line: operation, event, field, both values."""
    a = [line for line in mine if line[:1] in ("E", "M", "H")]
    b = [line for line in other if line[:1] in ("E", "M", "H")]
    start = fields(mine[0]) if mine and mine[0].startswith("P") else {}
    where = "mode=%s paging=%s" % (start.get("mode"), start.get("paging"))
    last = "start"
    task = "task " if len({fields(l).get("tr") for l in a if l[0] == "E"} - {"0020", "0000", None}) else ""
    where += " " + task.strip() if task else ""
    for x, y in zip(a, b):
        if x == y:
            last = fields(x).get("op", last)
            continue
        if x.startswith("E") and y.startswith("E"):
            fx, fy = fields(x), fields(y)
            differing = [k for k in fx if fx.get(k) != fy.get(k)]
            if "vec" in differing or "op" in differing or "n" in differing:
                return "%s after=%s event op=%s/%s vec=%s/%s err=%s/%s" % (
                    where, last, fx["op"], fy["op"], fx["vec"], fy["vec"], fx.get("err"), fy.get("err"))
            return "%s after=%s op=%s vec=%s fields %s" % (where, last, fx["op"], fx["vec"], " ".join(
                "%s=%s/%s" % (k, fx.get(k), fy.get(k)) if k in ("err", "cr2", "fl", "dr6", "tr", "ldtr", "cr4", "dr7") else k
                for k in differing))
        if x[0] == "M" or y[0] == "M":
            mx = {l[2:6]: l for l in a if l[0] == "M"}
            my = {l[2:6]: l for l in b if l[0] == "M"}
            keys = sorted(k for k in set(mx) | set(my) if mx.get(k) != my.get(k))
            k = keys[0]
            value = lambda m: m[k].split("->")[1].strip() if k in m else "unchanged"
            ops = sorted({line.split()[2] for line in mine if line.startswith("C ")} - {"exit"})
            return "%s last=%s memory %s %s %s/%s ops=%s" % (where, last, memory_place(int(k, 16)), k, value(mx), value(my),
                                                             ",".join(ops))
        return "%s after=%s %s / %s" % (where, last, x[:40], y[:40])
    return where + " length"


def explained():
    rows = []
    with open(HERE + "/explained.tsv", encoding="utf-8") as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                peer, pattern, text = line.rstrip("\n").split("\t")
                rows.append((peer, re.compile(pattern), text))
    return rows


def explanation(rows, text):
    return next((row[2] for row in rows if row[1].search(text)), None)


def disassemble(blocks):
    code = fields(blocks[0]).get("code") == "32"
    for line in blocks:
        if not line.startswith("C "):
            continue
        _, at, name, text = line.split()
        with tempfile.NamedTemporaryFile() as file:
            file.write(bytes.fromhex(text))
            file.flush()
            listing = subprocess.run(["ndisasm", "-b", "32" if code else "16", "-o", "0x" + at, file.name],
                                     capture_output=True, text=True, check=True).stdout
        print("  %s" % name)
        for row in listing.splitlines():
            print("      " + row)


def compare(image, machine, peer, numbers, settings, examples):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        mine = pool.submit(collect, machine, image, numbers, False, settings)
        theirs = pool.submit(collect, peer, image, numbers, False, settings)
        mine, theirs = mine.result(), theirs.result()
    different = [n for n in numbers if mine[n] != theirs[n]]
    print("%s, %s: %d programs, %d differ" % (machine, peer, len(mine), len(different)))
    if not different:
        return True
    chosen = different[:4000]
    a = collect(machine, image, chosen, True, settings)
    b = collect(peer, image, chosen, True, settings)
    rows = [row for row in explained() if row[0] in (peer.split(":")[0], "any")]
    known = collections.Counter()
    unknown = collections.defaultdict(list)
    alone = 0
    for n in chosen:
        text = signature(a[n], b[n])
        row = explanation(rows, text)
        if not row and alone < ALONE_MAX:
            # A program that destroys the kernel may leave something behind for later ones: each by itself decides.
            alone += 1
            mine, theirs = (collect(name, image, [n], True, settings)[n] for name in (machine, peer))
            if mine == theirs:
                known["no difference when the program runs alone: an earlier one had damaged the kernel"] += 1
                continue
            text = signature(mine, theirs)
            row = explanation(rows, text)
        if row:
            known[row] += 1
        else:
            unknown[re.sub(r"\b[0-9a-f]{8}\b", "*", text).split(" ops=")[0] if "vec=" not in text else text].append(n)
    for text, count in known.most_common():
        print("explained %6d  %s" % (count, text))
    for text, list_ in sorted(unknown.items(), key=lambda item: -len(item[1]))[:examples]:
        print("%6d  %s  (%s)" % (len(list_), text, " ".join(map(str, list_[:4]))))
    total = sum(len(list_) for list_ in unknown.values())
    print("unexplained: %d of %d examined" % (total, len(chosen)))
    return total == 0


def show(image, machines, number, settings):
    blocks = [collect(machine, image, [number], True, settings)[number] for machine in machines]
    print(blocks[0][0])
    disassemble(blocks[0])
    lines = [[line for line in block if line[:1] in ("E", "M", "H")] for block in blocks]
    for i in range(max(map(len, lines))):
        row = [block[i] if i < len(block) else "" for block in lines]
        if len(set(row)) == 1:
            print("  = " + row[0])
        else:
            base = fields(row[0])
            if row[0][:1] == "M" or row[-1][:1] == "M":
                break
            for machine, line in zip(machines, row):
                marked = " ".join("**" + item if "=" in item and base.get(item.split("=")[0]) != item.split("=", 1)[1] else item
                                  for item in line.split()) if line is not row[0] else line
                print("%-8s %s" % (machine.split("/")[-1][:8], marked))
            if len(machines) > 1:
                break
    memory = [{line for line in block if line[:1] == "M"} for block in blocks]
    for machine, rows in zip(machines, memory):
        for line in sorted(rows - set.intersection(*memory) if len(machines) > 1 else rows):
            print("%-8s %s" % (machine.split("/")[-1][:8], line))


def minimise(image, machine, peer, number, settings):
    """Leaves operations out while the machines still differ."""
    drop = 0
    for bit in range(12):
        trial = dict(settings, drop=drop | 1 << bit)
        if collect(machine, image, [number], False, trial) != collect(peer, image, [number], False, trial):
            drop |= 1 << bit
    print("operations left out: %#x" % drop)
    show(image, [machine, peer], number, dict(settings, drop=drop))


def groups(outcome, numbers):
    packed = bytearray()
    for i in range(0, len(numbers), GROUP):
        text = "".join(outcome[n] for n in numbers[i:i + GROUP])
        packed += hashlib.sha256(text.encode()).digest()[:4]
    return bytes(packed)


def record(path, image, machine, peer, numbers, settings):
    """Stores what both machines agree on, or whose difference is explained, with the image that made it."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        mine = pool.submit(collect, machine, image, numbers, False, settings)
        theirs = pool.submit(collect, peer, image, numbers, False, settings)
        mine, theirs = mine.result(), theirs.result()
    different = [n for n in numbers if mine[n] != theirs[n] and mine[n] != "hang"]
    a = collect(machine, image, different, True, settings)
    b = collect(peer, image, different, True, settings)
    rows = [row for row in explained() if row[0] in (peer, "any")]
    left_out = {n for n in numbers if mine[n] == "hang"}
    left_out |= {n for n in different if not any(row[1].search(signature(a[n], b[n])) for row in rows)}
    # A runaway program may leave something in memory that a later one meets: only what comes out the same when the
    # programs left out do not run is kept.
    for _ in range(5):
        kept = [n for n in numbers if n not in left_out]
        again = collect(machine, image, kept, False, settings)
        changed = {n for n in kept if again[n] != mine[n]}
        if not changed:
            break
        left_out |= changed
    head = json.dumps({"first": numbers[0], "count": len(numbers), "left_out": sorted(left_out), "peer": peer,
                       "features": settings["features"], "flags_mask": settings["flags_mask"], "image": len(image)})
    with open(path, "wb") as file:
        file.write(zlib.compress(head.encode() + b"\n" + image + groups(mine, kept), 9))
    print("%d programs, %d differ from %s, %d left out" % (len(numbers), len(different), peer, len(left_out)))


def check(path, machine, programs, settings):
    head, _, rest = zlib.decompress(open(path, "rb").read()).partition(b"\n")
    head = json.loads(head)
    image, expected = rest[:head["image"]], rest[head["image"]:]
    left_out = set(head["left_out"])
    numbers = [n for n in range(head["first"], head["first"] + head["count"]) if n not in left_out]
    numbers = numbers[:(min(programs, len(numbers)) // GROUP or 1) * GROUP]
    settings = dict(settings, features=head["features"], flags_mask=head["flags_mask"])
    found = groups(collect(machine, image, numbers, False, settings), numbers)
    bad = [i for i in range(len(found) // 4) if found[4 * i:4 * i + 4] != expected[4 * i:4 * i + 4]]
    print("%s: %d programs, %d groups of %d differ" % (machine, len(numbers), len(bad), GROUP))
    for i in bad[:10]:
        print("  programs %s" % " ".join(map(str, numbers[i * GROUP:(i + 1) * GROUP])))
    return not bad


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image")
    parser.add_argument("--features", default="all")
    parser.add_argument("--mask", default=None)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--programs", type=int, default=10000)
    parser.add_argument("--drop", default="0")
    parser.add_argument("--examples", type=int, default=40)
    parser.add_argument("--stall", type=float, default=8)
    parser.add_argument("--show", type=int)
    parser.add_argument("--minimise", type=int)
    parser.add_argument("--record")
    parser.add_argument("--check")
    parser.add_argument("machines", nargs="+")
    o = parser.parse_args()
    names = list(peers.FEATURES) if o.features == "all" else [n for n in o.features.split(",") if n]
    if o.features.startswith("-"):
        names = [n for n in peers.FEATURES if n not in o.features[1:].split(",")]
    mask = 0
    if "qemu" in o.machines:  # what QEMU 7.2 lacks: explained.tsv
        names = [n for n in names if n not in ("VME", "PVI", "STACK_BREAK", "CR4_RESERVED", "AC", "LIMITS", "PRECISE", "INTR")]
        mask = 0x10000
    if o.mask is not None:
        mask = int(o.mask, 16)
    settings = dict(features=sum(peers.FEATURES[n] for n in names), flags_mask=mask, drop=int(o.drop, 0), stall=o.stall,
                    timeout=7200)
    if o.check:
        sys.exit(0 if check(o.check, o.machines[0], o.programs, settings) else 1)
    if o.image:
        image = open(o.image, "rb").read()
    else:
        with tempfile.NamedTemporaryFile() as file:
            subprocess.run([HERE + "/build.sh", file.name], check=True, stderr=subprocess.DEVNULL)
            image = open(file.name, "rb").read()
    numbers = list(range(o.first, o.first + o.programs))
    if o.show is not None:
        show(image, o.machines, o.show, settings)
    elif o.minimise is not None:
        minimise(image, o.machines[0], o.machines[1], o.minimise, settings)
    elif o.record:
        record(o.record, image, o.machines[0], o.machines[1], numbers, settings)
    else:
        sys.exit(0 if compare(image, o.machines[0], o.machines[1], numbers, settings, o.examples) else 1)


if __name__ == "__main__":
    main()
