// SPDX-License-Identifier: MIT
// The command line: arguments are the input's lines. Checked besides: an error says something, in
// one line, and a configuration that is accepted is within its bounds.
#include "fuzz.h"

#include <stdlib.h>

#include "main/options.h"

#define MAX_ARGUMENTS 40

static void check_accepted(const struct options *o)
{
    FUZZ_CHECK(o->config.ram_mib >= 2 && o->config.ram_mib <= MACHINE_MAX_RAM_MIB);
    FUZZ_CHECK(o->serial_count <= MACHINE_MAX_SERIALS);
    FUZZ_CHECK(o->monitor_count <= OPTIONS_MAX_MONITORS);
    FUZZ_CHECK(o->config.plugin_count <= MACHINE_MAX_PLUGINS);
    for (unsigned i = 0; i < MACHINE_MAX_DRIVES; i++)
        FUZZ_CHECK(!o->config.drives[i].present || o->config.drives[i].cdrom ||
                   o->config.drives[i].path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static FILE *out;
    if (!out)
        out = fuzz_null_file();
    char *text = malloc(size + 1), *argv[MAX_ARGUMENTS + 2] = {(char[]){"emu"}};
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    int argc = 1;
    char *variable = NULL;
    for (char *line = text, *end; line < text + size && argc <= MAX_ARGUMENTS; line = end + 1) {
        end = memchr(line, '\n', (size_t)(text + size - line));
        if (!end)
            end = text + size;
        *end = '\0';
        if (strncmp(line, "PLUGIN=", 7) == 0)
            variable = line + 7;
        else
            argv[argc++] = line;
    }
    struct options o;
    struct error err = {""};
    if (options_parse(&o, argc, argv, variable, out, &err))
        check_accepted(&o);
    else
        FUZZ_CHECK(err.text[0] != '\0');
    options_free(&o);
    free(text);
    return 0;
}
