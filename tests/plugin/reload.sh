#!/bin/bash
# SPDX-License-Identifier: MIT
# reload.sh EMU SDK: at the prompt, a plugin that was built anew is brought in by reload_plugin, with its old arguments
# or with new ones; -plugin gives arguments to the plugin before them, and may repeat.
here_plugin=$(cd "$(dirname "$0")" && pwd)
. "$here_plugin/../boot/lib.sh"
sdk=$(realpath "${1:?usage: reload.sh EMU SDK}")

# build NAME VERSION
build() {
    cat >"$work/$1.c" <<TEXT
#include <emu/plugin.h>
EMU_PLUGIN_EXPORT const struct pi_info init_info = {NULL, NULL, NULL};
EMU_PLUGIN_EXPORT const struct plugin_option plugin_options[];
const struct plugin_option plugin_options[] = {{"who", "NAME", "whom to greet"}, {NULL, NULL, NULL}};
static void say(PluginInterface *pi, const char *args)
{
    const char *who = plugin_argument(pi, "who");
    plugin_printf("$1 version %d greets %s with '%s'\n", $2, who ? who : "nobody", args);
}
static const PluginCommand commands[] = {{"$1_say", "[words]", "greet", say}, {NULL, NULL, NULL, NULL}};
EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi);
void pi_start(PluginInterface *pi)
{
    pi->cmd_table = commands;
}
TEXT
    cc -shared -fPIC -I"$sdk" "$work/$1.c" -o "$work/plugin-$1-i386.plugin.new" || fail "the plugin does not compile"
    mv "$work/plugin-$1-i386.plugin.new" "$work/plugin-$1-i386.plugin"
}
build one 1
build two 1
EMU_PLUGIN_PATH=$work emu_start_monitor reload -S -m 16 -plugin one,who=Ada,two -plugin contexts
emu_type 'one_say early  words'
wait_text monitor "one version 1 greets Ada with 'early  words'" 30
emu_type 'two_say'
wait_text monitor "two version 1 greets nobody with ''" 30
emu_type 'list_plugins'
wait_text monitor contexts 30
build one 2
emu_type 'one_say still'
wait_text monitor "one version 1 greets Ada with 'still'" 30
emu_type 'reload_plugin one'
emu_type 'one_say now'
wait_text monitor "one version 2 greets Ada with 'now'" 30
build one 3
emu_type 'reload_plugin one who=Bob'
emu_type 'one_say again'
wait_text monitor "one version 3 greets Bob with 'again'" 30
emu_type 'stop_plugin one'
emu_type 'load_plugin one who=Eve'
emu_type 'one_say last'
wait_text monitor "one version 3 greets Eve with 'last'" 30
emu_type 'reload_plugin one color=red'
wait_text monitor "has no argument 'color'; it takes who" 30
echo 'no plugin' >"$work/plugin-two-i386.plugin.new"
mv "$work/plugin-two-i386.plugin.new" "$work/plugin-two-i386.plugin"
emu_type 'reload_plugin two'
wait_text monitor "damaged" 30
emu_type 'print 1111+2222'
wait_text monitor 3333 30
monitor_quit
pass "plugins built anew are reloaded at the prompt"
