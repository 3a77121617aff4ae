#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""screen_text.py DUMP.ppm: the characters of a text screen, read back from a screendump with the VGA BIOS's 8x16 font."""
import sys

FONTS = "/usr/share/seabios/vgabios-stdvga.bin"
LETTER_A = bytes.fromhex("000010386cc6c6fec6c6c6c600000000")


def font():
    rom = open(FONTS, "rb").read()
    start = rom.index(LETTER_A) - 16 * ord("A")
    return {rom[start + 16 * c:start + 16 * c + 16]: chr(c) for c in reversed(range(32, 127))}


def main():
    magic, width, height, _, pixels = open(sys.argv[1], "rb").read().split(maxsplit=4) if len(sys.argv) == 2 else sys.exit(__doc__)
    width, height = int(width), int(height)
    if magic != b"P6" or width % 80 or height < 400:
        sys.exit("not a text screen of 80 columns: %dx%d" % (width, height))
    pixels = pixels[-width * height * 3:]
    cell, glyphs = width // 80, font()
    for row in range(height // 16):
        line = ""
        for column in range(80):
            lines = []
            for y in range(row * 16, row * 16 + 16):
                at = (y * width + column * cell) * 3
                lines.append([pixels[at + 3 * x:at + 3 * x + 3] for x in range(8)])
            # A cell has two colours; which one is the letter's is not known beforehand.
            colours = {colour for part in lines for colour in part}
            found = " " if len(colours) == 1 else "?"
            for ink in colours if len(colours) == 2 else ():
                found = glyphs.get(bytes(sum(0x80 >> x for x in range(8) if part[x] == ink) for part in lines), found)
            line += found
        print(line.rstrip())


main()
