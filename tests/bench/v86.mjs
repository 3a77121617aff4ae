// SPDX-License-Identifier: MIT
// node v86.mjs PACKAGE-DIR BIOS VGA-BIOS MIB IMAGE: boots a disk image in the npm package v86, the serial port on
// standard input and output.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, bios, vga, mib, image] = process.argv.slice(2);
const { V86 } = await import(pathToFileURL(join(folder, "build/libv86.mjs")).href);
const bytes = (path) => {
    const data = readFileSync(path);
    return data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
};
const machine = new V86({
    wasm_path: join(folder, "build/v86.wasm"),
    bios: { buffer: bytes(bios) },
    vga_bios: { buffer: bytes(vga) },
    hda: { buffer: bytes(image) },
    memory_size: Number(mib) << 20,
    vga_memory_size: 8 << 20,
    autostart: true,
    disable_keyboard: true,
    disable_mouse: true,
    disable_speaker: true,
});
let line = "";
machine.add_listener("serial0-output-byte", (byte) => {
    line += String.fromCharCode(byte);
    if (byte === 10) {
        process.stdout.write(line);
        line = "";
    }
});
process.stdin.setEncoding("latin1");
process.stdin.on("data", (text) => machine.serial0_send(text));
process.stdin.on("end", () => process.exit(0));
