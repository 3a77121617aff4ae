// SPDX-License-Identifier: MIT
// Info topics: the CPU, memory, the board and the machine.
#include "mmu/window.h"
#include "monitor/command.h"

bool info_status(struct monitor *mon, const struct arguments *args, struct error *err)
{
    monitor_printf(mon, "VM status: %s\n", machine_status_name(machine_get_status(mon->machine)));
    return true;
}

bool info_registers(struct monitor *mon, const struct arguments *args, struct error *err)
{
    cpu_describe(machine_cpu(mon->machine), mon->out);
    return true;
}

bool info_cpus(struct monitor *mon, const struct arguments *args, struct error *err)
{
    static const char *const activities[] = {
        [CPU_RUNNING] = "running", [CPU_HALTED] = "halted", [CPU_SHUTDOWN] = "shutdown"};
    const struct cpu *cpu = machine_cpu(mon->machine);
    monitor_printf(mon, "* CPU #0: %s, %s, CPL %u, pc=0x%08x\n", cpu_model_name(cpu->model),
                   activities[cpu->activity], cpu->cpl, cpu->segs[SEG_CS].base + cpu->eip);
    return true;
}

bool info_mem(struct monitor *mon, const struct arguments *args, struct error *err)
{
    mmu_describe_ranges(&machine_cpu(mon->machine)->mmu, mon->out);
    return true;
}

bool info_tlb(struct monitor *mon, const struct arguments *args, struct error *err)
{
    mmu_describe_mappings(&machine_cpu(mon->machine)->mmu, mon->out);
    return true;
}

bool info_mtree(struct monitor *mon, const struct arguments *args, struct error *err)
{
    physmem_describe(machine_physmem(mon->machine), mon->out);
    monitor_printf(mon, "I/O ports\n");
    portio_describe(machine_ports(mon->machine), mon->out);
    return true;
}

bool info_pic(struct monitor *mon, const struct arguments *args, struct error *err)
{
    pc_describe_pic(machine_pc(mon->machine), mon->out);
    return true;
}

bool info_irq(struct monitor *mon, const struct arguments *args, struct error *err)
{
    pc_describe_irq(machine_pc(mon->machine), mon->out);
    return true;
}

bool info_qtree(struct monitor *mon, const struct arguments *args, struct error *err)
{
    pc_describe_tree(machine_pc(mon->machine), mon->out);
    return true;
}

bool info_pci(struct monitor *mon, const struct arguments *args, struct error *err)
{
    pc_describe_pci(machine_pc(mon->machine), mon->out);
    return true;
}

bool info_block(struct monitor *mon, const struct arguments *args, struct error *err)
{
    pc_describe_block(machine_pc(mon->machine), mon->out);
    return true;
}

bool info_jit(struct monitor *mon, const struct arguments *args, struct error *err)
{
    static const char *const accels[] = {
        [ACCEL_INTERP] = "interp", [ACCEL_JIT] = "jit", [ACCEL_LOCKSTEP] = "lockstep"};
    struct executor_stats s = executor_get_stats(machine_executor(mon->machine));
    const struct mmu *mmu = &machine_cpu(mon->machine)->mmu;
    struct window_stats window = mmu_window_stats(mmu);
    const struct {
        const char *name;
        unsigned long long value;
    } rows[] = {
        {"blocks live", s.blocks_live},
        {"blocks bytes", s.bytes_live},
        {"blocks made", s.blocks_made},
        {"blocks run", s.blocks_run},
        {"look-ups hit", s.blocks_run - s.lookups_slow},
        {"look-ups missed", s.lookups_slow},
        {"exceptions", s.exceptions},
        {"translated", s.translated},
        {"links", s.links},
        {"stepped", s.steps},
        {"left by a step", s.leaves[0]},
        {"left by an exit", s.leaves[1]},
        {"left at EIP", s.leaves[2]},
        {"compared", s.compared},
        {"differences", s.differences},
        {"code bytes", s.code_used},
        {"code size", s.code_size},
        {"code flushes", s.cache_flushes},
        {"window opened", window.opened},
        {"window pages", window.pages},
        {"window fills", window.mapped},
        {"window refused", s.refused},
        {"TLB fills", mmu->fills},
        {"slow-page hits", mmu->slow_hits},
        {"TLB flushes", mmu->flushes},
        {"page walks", mmu->walks},
    };
    monitor_printf(mon, "%-16s %s\n", "accelerator",
                   accels[machine_get_config(mon->machine)->accel]);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        monitor_printf(mon, "%-16s %llu\n", rows[i].name, rows[i].value);
    return true;
}

bool info_icount(struct monitor *mon, const struct arguments *args, struct error *err)
{
    struct clock *clock = machine_clock(mon->machine);
    monitor_printf(mon, "instructions: %llu\n",
                   (unsigned long long)machine_cpu(mon->machine)->instructions);
    if (clock_is_icount(clock))
        monitor_printf(mon, "shift: %u (%u ns each)\n", clock_icount_shift(clock),
                       1u << clock_icount_shift(clock));
    else
        monitor_printf(mon, "shift: none, the clock follows the host's\n");
    monitor_printf(mon, "virtual time: %lld ns\n", (long long)clock_now(clock));
    return true;
}

bool info_hash(struct monitor *mon, const struct arguments *args, struct error *err)
{
    monitor_printf(mon, "ram: %016llx\nmachine: %016llx\n",
                   (unsigned long long)machine_ram_hash(mon->machine),
                   (unsigned long long)machine_hash(mon->machine));
    return true;
}

bool info_name(struct monitor *mon, const struct arguments *args, struct error *err)
{
    const char *name = machine_get_config(mon->machine)->name;
    if (name)
        monitor_printf(mon, "%s\n", name);
    return true;
}

bool info_version(struct monitor *mon, const struct arguments *args, struct error *err)
{
    monitor_printf(mon, "emu %s\n", EMU_VERSION);
    return true;
}

static void print_history(void *self, int number, const char *line)
{
    monitor_printf(self, "%3d: %s\n", number, line);
}

bool info_history(struct monitor *mon, const struct arguments *args, struct error *err)
{
    if (!mon->editor)
        return error_set(err, "only a monitor on a terminal keeps one");
    editor_for_each_history(mon->editor, print_history, mon);
    return true;
}
