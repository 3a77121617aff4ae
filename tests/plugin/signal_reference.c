// SPDX-License-Identifier: MIT
// signal_reference: writes docs/signals.md, from what emu and the plugins of this build describe.
#include "small_machine.h"

static void load_one(void *self, const char *name)
{
    struct error err;
    plugin_host_load(self, name, NULL, &err); // one that needs an argument describes nothing
}

int main(void)
{
    setenv("EMU_PLUGIN_PATH", PLUGIN_DIR, 1);
    struct small_machine *m = small_create("Linux");
    plugin_host_for_each_available(m->host, load_one, m->host);
    plugin_host_write_reference(m->host, stdout);
    small_destroy(m);
    return 0;
}
