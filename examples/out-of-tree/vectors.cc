// SPDX-License-Identifier: MIT
// vectors: counts exceptions and interrupts by vector; command `vectors` prints them. In C++.
#include <emu/plugin.h>

#include <map>
#include <string>

EMU_PLUGIN_EXPORT const struct pi_info init_info;
const struct pi_info init_info = {nullptr, nullptr, nullptr};

namespace
{

std::map<std::string, std::map<uint32_t, uint64_t>> counts;

void on_exception(void *data, CPUArchState *)
{
    counts["exception"][static_cast<const qemu_exception_payload *>(data)->vector]++;
}

void on_interrupt(void *data, CPUArchState *)
{
    counts["interrupt"][static_cast<const qemu_interrupt_payload *>(data)->vector]++;
}

void print_vectors(PluginInterface *, const char *)
{
    for (const auto &kind : counts)
        for (const auto &[vector, count] : kind.second)
            plugin_printf("%s %u: %llu\n", kind.first.c_str(), vector,
                          static_cast<unsigned long long>(count));
}

const PluginCommand commands[] = {
    {"vectors", nullptr, "exceptions and interrupts by vector", print_vectors},
    {nullptr, nullptr, nullptr, nullptr}};

} // namespace

EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi);
void pi_start(PluginInterface *pi)
{
    pi->cmd_table = commands;
    plugin_subscribe(on_exception, "qemu", "PLUGIN_QEMU_EXCEPTION");
    plugin_subscribe(on_interrupt, "qemu", "PLUGIN_QEMU_INTERRUPT");
}
