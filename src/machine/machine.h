// SPDX-License-Identifier: MIT
// A whole PC: owns the CPU, memory, board, clock, event loop and plugin bus, and runs them on one
// thread. Thread: everything here is for the machine's thread (the one that calls machine_run)
// unless it says otherwise.
#ifndef EMU_MACHINE_MACHINE_H
#define EMU_MACHINE_MACHINE_H

#include "base/block_image.h"
#include "base/chardev.h"
#include "base/event_loop.h"
#include "cpu/cpu.h"
#include "devices/pc.h"
#include "jit/executor.h"
#include "plugin/host.h"
#include "plugin/signal.h"
#include "state/state.h"

#define MACHINE_MAX_DRIVES  4u // IDE primary master .. secondary slave
#define MACHINE_MAX_SERIALS 2u
#define MACHINE_MAX_PLUGINS 64u
#define MACHINE_MAX_RAM_MIB 3584u

// AUTO: the translator where the host can run it, else the interpreter.
enum machine_accel { ACCEL_AUTO, ACCEL_INTERP, ACCEL_JIT, ACCEL_LOCKSTEP };

struct drive_config {
    const char *option; // that named it, for messages: "-hda"; may be NULL
    const char *path;   // NULL: empty (for a CD: no medium)
    bool present;
    bool cdrom;
    bool read_only;
};

// Lockstep is far too slow for the timers of real time: without -icount it counts 4 ns an
// instruction.
#define MACHINE_LOCKSTEP_SHIFT 2u

// All strings stay the caller's and must outlive the machine.
struct machine_config {
    const char *name;
    enum cpu_model cpu_model;
    enum machine_accel accel;
    size_t tb_size;        // bytes for translated code; 0: the default
    bool no_window;        // translated code reaches memory through the tables only
    bool perfmap, jitdump; // names of translated code for Linux perf
    uint32_t ram_mib;
    struct drive_config drives[MACHINE_MAX_DRIVES];
    bool snapshot;
    const char *boot_order; // "cad..." letters: a floppy, c disk, d CD, n network; NULL: "cd"
    bool boot_menu;
    const char *bios;             // file name, NULL: bios-256k.bin, then bios.bin
    const char *firmware_dirs[8]; // -L, searched first; NULL-terminated
    const char *kernel, *initrd, *append;
    struct chardev
        *serials[MACHINE_MAX_SERIALS]; // opened by the caller on machine_loop(); NULL: no port
    bool debugcon_present;
    uint16_t debugcon_base;
    struct chardev *debugcon; // opened by the caller; NULL: silent
    uint16_t post_base;       // a second port for POST codes; 0: none
    bool testdev;             // pc-testdev
    bool debug_exit;
    uint16_t debug_exit_base, debug_exit_size;
    int64_t rtc_base; // seconds since 1970 at power-on
    bool icount;
    unsigned icount_shift;
    bool no_reboot;
    bool no_shutdown;
    bool start_stopped;                       // -S
    const char *plugins[MACHINE_MAX_PLUGINS]; // each a list, as plugin_host_load_list takes it
    unsigned plugin_count;
    const char *os_version;
};

enum machine_status {
    STATUS_RUNNING,
    STATUS_PAUSED,
    STATUS_PRELAUNCH,
    STATUS_SHUTDOWN,
    STATUS_IO_ERROR,
    STATUS_INTERNAL_ERROR
};

struct machine;

// Two steps, because serial ports and the monitor are opened on the machine's event loop before the
// board is made.
struct machine *machine_create(struct log *log, struct error *err);
bool machine_configure(struct machine *machine, const struct machine_config *config,
                       struct error *err);
// Unloads the plugins and takes the board apart; the event loop stays, so that the devices behind
// the board, which get its last bytes here, can be closed before machine_destroy.
void machine_dismantle(struct machine *machine);
void machine_destroy(struct machine *machine);

// Runs until machine_quit, a power-off or -no-reboot; returns the process exit code.
int machine_run(struct machine *machine);

void machine_pause(struct machine *machine);  // monitor `stop`
void machine_resume(struct machine *machine); // monitor `cont`
void machine_reset(struct machine *machine);
void machine_powerdown(struct machine *machine); // presses the ACPI power button
void machine_quit(struct machine *machine, int exit_code);
enum machine_status machine_get_status(const struct machine *machine);
const char *
machine_status_name(enum machine_status status); // "running", "paused", "paused (prelaunch)" ...

// Async-signal-safe: asks for a clean end, as from SIGINT.
void machine_request_quit(struct machine *machine);

// Where plugins print: set by the monitor; NULL: stdout.
void machine_set_output(struct machine *machine,
                        void (*print)(void *self, const char *text, size_t length), void *self);

struct event_loop *machine_loop(struct machine *machine);
struct cpu *machine_cpu(struct machine *machine);
struct executor *machine_executor(struct machine *machine);
struct physmem *machine_physmem(struct machine *machine);
struct portio *machine_ports(struct machine *machine);
struct clock *machine_clock(struct machine *machine);
struct log *machine_log(struct machine *machine);
struct pc *machine_pc(struct machine *machine);
struct broker *machine_broker(struct machine *machine);
struct plugin_host *machine_plugins(struct machine *machine);
struct state_registry *machine_state(struct machine *machine);
const struct machine_config *machine_get_config(const struct machine *machine);

// XXH64 over guest RAM and every registered state section.
uint64_t machine_hash(struct machine *machine);
uint64_t machine_ram_hash(struct machine *machine);

#endif
