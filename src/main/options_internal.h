// SPDX-License-Identifier: MIT
// One row of the command line's table, and what the files that parse option values share.
#ifndef EMU_MAIN_OPTIONS_INTERNAL_H
#define EMU_MAIN_OPTIONS_INTERNAL_H

#include "main/options.h"

struct option_row {
    const char *name;  // without the dash
    const char *alias; // may be NULL
    const char *value; // how help names the value; NULL: the option takes none
    bool (*parse)(struct options *options, const char *value, struct error *err);
    const char *help;
};

// "key=value,key=value" as QEMU writes it: ",," stands for a comma, a bare word belongs to the key
// `implied` (NULL: it is a key that is "on").
struct key_value {
    char key[32];
    char value[4096];
};
// False at the end. A part that is too long comes back with the key KEY_TOO_LONG, which no option
// knows.
#define KEY_TOO_LONG "(too long)"
bool key_value_next(const char **rest, const char *implied, struct key_value *kv);

bool parse_on_off(const char *text, bool *value, struct error *err);
bool parse_unsigned(const char *text, uint64_t max, uint64_t *value, struct error *err);
const char *options_own(struct options *options, char *text);

// options_drive.c
bool option_drive(struct options *o, const char *value, struct error *err);
bool option_hda(struct options *o, const char *value, struct error *err);
bool option_hdb(struct options *o, const char *value, struct error *err);
bool option_hdc(struct options *o, const char *value, struct error *err);
bool option_hdd(struct options *o, const char *value, struct error *err);
bool option_cdrom(struct options *o, const char *value, struct error *err);
bool option_boot(struct options *o, const char *value, struct error *err);

// options_machine.c
bool option_memory(struct options *o, const char *value, struct error *err);
bool option_machine(struct options *o, const char *value, struct error *err);
bool option_accel(struct options *o, const char *value, struct error *err);
bool option_smp(struct options *o, const char *value, struct error *err);
bool option_cpu(struct options *o, const char *value, struct error *err);
bool option_rtc(struct options *o, const char *value, struct error *err);
bool option_icount(struct options *o, const char *value, struct error *err);

// options_device.c
bool option_device(struct options *o, const char *value, struct error *err);
bool option_debugcon(struct options *o, const char *value, struct error *err);
bool option_global(struct options *o, const char *value, struct error *err);

#endif
