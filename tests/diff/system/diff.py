#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the same programs on two machines and explains where they differ.

diff.py [--image ROM] [--features A,B | all] [--mask HEX] [--first N] [--programs N] MACHINE PEER
    compares; prints the signatures of the differences that explained.tsv does not cover, most frequent first
    --keep FOLDER: the peer's outcomes stay there; another version of emu or other rows need no second run of the peer
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
        lines, _ = peers.run(machine, image, detail=int(detail), first=part[0], count=len(part),
                                 numbers=() if whole else part, **settings)
        done = []
        if detail:
            block = []
            for line in lines:
                if not re.match("[PCEMH][ 0-9]", line):  # Bochs speaks of shutdowns
                    continue
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
            outcome[rest[0]] = block + ["H hang"] if detail else "hang"
            print("%s: program %d hangs, ends the machine or loses the kernel's place" % (machine, rest[0]), file=sys.stderr)
            rest = rest[1:]
        numbers = rest + ([] if whole else numbers[len(part):])
    return outcome


def outcomes(machine, image, numbers, settings, folder):
    """Hashes of a range of programs; with a folder they are kept there, and looked up before anything runs."""
    if not folder:
        return collect(machine, image, numbers, False, settings)
    key = hashlib.sha256(image + repr((machine, settings["features"], settings["flags_mask"], settings["drop"])).encode()).hexdigest()
    path = "%s/%s-%s-%d-%d" % (folder, machine, key[:8], numbers[0], len(numbers))
    if os.path.exists(path):
        with open(path, encoding="ascii") as file:
            return dict(zip(numbers, file.read().split()))
    found = collect(machine, image, numbers, False, settings)
    os.makedirs(folder, exist_ok=True)
    with open(path + ".part", "w", encoding="ascii") as file:
        file.write("".join(found[n] + "\n" for n in numbers))
    os.rename(path + ".part", path)
    return found


def both(image, machine, peer, numbers, settings, folder):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        mine = pool.submit(collect, machine, image, numbers, False, settings)
        theirs = pool.submit(outcomes, peer, image, numbers, settings, folder)
        return mine.result(), theirs.result()


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


def event(line):
    """Fields of an event; a program that ends in a shutdown or a hang ends in an event of that name."""
    if line.startswith("E"):
        return fields(line)
    word = line.split()[-1]
    return {"op": "-", "n": "-", "vec": {"f001dead": "shutdown"}.get(word, "hang" if word == "hang" else "none")}


def memory_signature(where, mine, other, a, b):
    """The lowest dword that differs, with the bits that do, and what happened before."""
    changes = [{line[2:6]: line.split() for line in lines if line[0] == "M"} for lines in (a, b)]
    new = [{at: words[4] for at, words in one.items()} for one in changes]
    at = min(k for k in set(new[0]) | set(new[1]) if new[0].get(k) != new[1].get(k))
    before = (changes[0].get(at) or changes[1].get(at))[2]
    bits = int(new[0].get(at, before), 16) ^ int(new[1].get(at, before), 16)
    ops = sorted({line.split()[2] for line in mine if line.startswith("C ")} - {"exit"})
    events = [fields(line) for line in a if line[0] == "E"]
    faults = ",".join("%s:%s:%s%s" % (e["op"], e["vec"], e["err"].lstrip("0"), ":" + e["code"][:8] if e["op"] == "-" and "code" in e else "")
                      for e in events)
    return "%s memory %s %s %s/%s bits=%08x ops=%s faults=%s" % (
        where, memory_place(int(at, 16)), at, new[0].get(at, "unchanged"), new[1].get(at, "unchanged"), bits, ",".join(ops), faults)


def loses_nan(a, b):
    """Whether the upper bytes of a 64-bit NaN are in memory on the first machine, and 0 on the second."""
    memory = [{}, {}]
    for values, lines in zip(memory, (a, b)):
        for words in (line.split() for line in lines if line[0] == "M"):
            values.update(zip(range(int(words[1], 16), int(words[1], 16) + 4), bytes.fromhex(words[4])[::-1]))
    one, other = memory
    return any(one[at] in (0x7f, 0xff) and one.get(at - 1, 0) >= 0xf8 and other.get(at) == other.get(at - 1) == 0 for at in one)


def signature(mine, other):
    """What differs first, as one line: operation, event, field, both values; the code where no operation is."""
    a = [line for line in mine if line[:1] in ("E", "M", "H")]
    b = [line for line in other if line[:1] in ("E", "M", "H")]
    start = fields(mine[0]) if mine and mine[0].startswith("P") else {}
    where = "mode=%s paging=%s" % (start.get("mode"), start.get("paging"))
    if {fields(line).get("tr") for line in a if line[0] == "E"} - {"0020", "0000", None}:
        where += " task"
    if loses_nan(a, b):
        where += " nan"
    last = "start"
    for x, y in zip(a, b):
        if x == y:
            last = fields(x).get("op", last)
            continue
        if x[0] == "M" or y[0] == "M" or not (x[0] == "E" or y[0] == "E"):
            if "M" not in {line[0] for line in a + b}:
                return where + " after=%s %s / %s" % (last, x, y)
            return memory_signature("%s last=%s" % (where, last), mine, other, a, b)
        fx, fy = event(x), event(y)
        code = " code=" + (fx["code"] or "outside") if "code" in fx and (fx["op"] == "-" or fx["vec"] == "006") else ""
        ops = [line.split()[2] for line in mine if line.startswith("C ")]
        ran = " ran=" + ",".join(sorted(set(ops[:int(fx["n"], 16)]) - {"exit"})) if fx.get("n", "-") != "-" else ""
        if (int(fx.get("fl", "0"), 16) ^ int(fy.get("fl", "0"), 16)) & 0x20000 and "fl" in fx and "fl" in fy:
            code += " vm=%d/%d" % tuple(int(f["fl"], 16) >> 17 & 1 for f in (fx, fy))
        if any(fx.get(k) != fy.get(k) for k in ("vec", "op", "n")):
            status = [f.get("dr6") for f in (fx, fy)]
            shown = None not in status and (status[0] != status[1] or fx["vec"] == fy["vec"] == "001")
            dr6 = " dr6=%s/%s" % tuple(status) if shown else ""
            return "%s after=%s event op=%s/%s vec=%s/%s err=%s/%s%s%s%s" % (
                where, last, fx["op"], fy["op"], fx["vec"], fy["vec"], fx.get("err", "-"), fy.get("err", "-"), dr6, code, ran)
        differing = [k for k in fx if fx.get(k) != fy.get(k) and k != "code"]
        valued = ("err", "cr2", "fl", "dr6", "tr", "ldtr", "cr4", "dr7", "cs", "ss")
        return "%s after=%s op=%s vec=%s fields %s%s%s" % (where, last, fx["op"], fx["vec"], " ".join(
            "%s=%s/%s" % (k, fx.get(k), fy.get(k)) if k in valued else k for k in differing), code, ran)
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
        _, at, name, text = (line + " ").split(" ")[:4]  # an operation may have no bytes
        with tempfile.NamedTemporaryFile() as file:
            file.write(bytes.fromhex(text))
            file.flush()
            listing = subprocess.run(["ndisasm", "-b", "32" if code else "16", "-o", "0x" + at, file.name],
                                     capture_output=True, text=True, check=True).stdout
        print("  %s" % name)
        for row in listing.splitlines():
            print("      " + row)


def details(image, machine, peer, numbers, settings):
    mine, theirs = (collect(name, image, numbers, True, settings) for name in (machine, peer))
    return {n: (mine[n], theirs[n]) for n in numbers}


def judge(image, machine, peer, third, numbers, settings):
    """Signature and explanation of each program that differs; a third machine says who stands alone."""
    rows = [row for row in explained() if row[0] in (peer.split(":")[0], "any")]
    found = details(image, machine, peer, numbers, settings)
    if third:
        votes = collect(third, image, numbers, True, settings)
    result = {}
    # A program that destroys the kernel may leave something behind for later ones: those without a row run again,
    # among themselves and then each alone.
    for retry in (None, numbers, 1):
        again = [n for n in numbers if n not in result]
        if retry == 1:
            for n in again[:ALONE_MAX]:
                found.update(details(image, machine, peer, [n], settings))
        elif retry:
            found.update(details(image, machine, peer, again, settings))
        for n in again:
            mine, theirs = found[n]
            text = "none" if mine == theirs else signature(mine, theirs)
            row = "no difference now: an earlier program had damaged the kernel" if mine == theirs else explanation(rows, text)
            if row or retry == 1:
                vote = "" if not third or mine == theirs else third + (" agrees" if votes[n] == mine else " differs, too")
                result[n] = text, row, vote
    return result


def compare(image, machine, peer, numbers, settings, o):
    mine, theirs = both(image, machine, peer, numbers, settings, o.keep)
    different = [n for n in numbers if mine[n] != theirs[n]]
    print("%s, %s: %d programs, %d differ" % (machine, peer, len(mine), len(different)))
    known = collections.Counter()
    unknown = collections.defaultdict(list)
    votes = collections.Counter()
    for n, (text, row, vote) in judge(image, machine, peer, o.third, different, settings).items() if different else ():
        votes[vote] += 1
        if row:
            known[row] += 1
            if vote.endswith("too") and o.examples:
                print("%s, too: %d %s" % (vote.split(",")[0], n, text))
        else:
            unknown[re.sub(r"\b[0-9a-f]{8}\b", "*", text).split(" ops=")[0] if " memory " in text else text.split(" ran=")[0]].append(n)
    for text, count in known.most_common():
        print("explained %6d  %s" % (count, text))
    for text, list_ in sorted(unknown.items(), key=lambda item: -len(item[1]))[:o.examples]:
        print("%6d  %s  (%s)" % (len(list_), text, " ".join(map(str, list_[:4]))))
    for text, count in votes.items():
        if text:
            print("%s in %d" % (text, count))
    total = sum(len(list_) for list_ in unknown.values())
    print("unexplained: %d of %d examined" % (total, len(different)))
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


def record(path, image, machine, peer, numbers, settings, folder):
    """Stores what both machines agree on, or whose difference is explained, with the image that made it."""
    mine, theirs = both(image, machine, peer, numbers, settings, folder)
    different = [n for n in numbers if mine[n] != theirs[n] and mine[n] != "hang"]
    left_out = {n for n in numbers if mine[n] == "hang"}
    left_out |= {n for n, found in judge(image, machine, peer, None, different, settings).items() if not found[1]}
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
    parser.add_argument("--keep", metavar="FOLDER", help="keeps the peer's outcomes for the next comparison")
    parser.add_argument("--third", metavar="MACHINE", help="also runs what differs there, and says where it agrees")
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
        record(o.record, image, o.machines[0], o.machines[1], numbers, settings, o.keep)
    else:
        sys.exit(0 if compare(image, o.machines[0], o.machines[1], numbers, settings, o) else 1)


if __name__ == "__main__":
    main()
