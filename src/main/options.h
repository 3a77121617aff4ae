// SPDX-License-Identifier: MIT
// The command line, in QEMU's spelling. Parsing opens nothing: it fills the machine's configuration
// and names the character devices that main opens.
#ifndef EMU_MAIN_OPTIONS_H
#define EMU_MAIN_OPTIONS_H

#include "machine/machine.h"

#define OPTIONS_MAX_MONITORS 4u

enum options_action {
    OPTIONS_RUN,
    OPTIONS_SHOWN, // -help, -version, -cpu help ...: all that was asked for is printed
};

struct options {
    struct machine_config config;
    enum options_action action;
    const char *serials[MACHINE_MAX_SERIALS]; // character devices; NULL: no port
    unsigned serial_count;
    const char *monitors[OPTIONS_MAX_MONITORS];
    unsigned monitor_count;
    const char *debugcon; // NULL: none
    uint32_t log_mask;
    const char *log_file; // NULL: standard error

    // Parsing only.
    bool nographic, nodefaults;
    unsigned firmware_dir_count;
    bool serial_given, monitor_given;
    FILE *out;    // where help goes
    char **owned; // strings made while parsing
    size_t owned_count;
};

// argv as main gets it; plugin_variable: the environment variable PLUGIN, or NULL. Strings of argv
// are kept, not copied. The error is the whole message after "emu: ".
bool options_parse(struct options *options, int argc, char *const *argv,
                   const char *plugin_variable, FILE *out, struct error *err);
void options_free(struct options *options);

#endif
