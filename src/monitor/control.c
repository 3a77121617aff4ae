// SPDX-License-Identifier: MIT
// Commands that steer the machine, its keys, media and log.
#include "monitor/command.h"

#define HOLD_DEFAULT_MS 100
#define HOLD_MAX_MS     10000

bool command_stop(struct monitor *mon, const struct arguments *args, struct error *err)
{
    machine_pause(mon->machine);
    return true;
}

bool command_cont(struct monitor *mon, const struct arguments *args, struct error *err)
{
    machine_resume(mon->machine);
    return true;
}

bool command_quit(struct monitor *mon, const struct arguments *args, struct error *err)
{
    mon->leaving = true;
    machine_quit(mon->machine, 0);
    return true;
}

bool command_system_reset(struct monitor *mon, const struct arguments *args, struct error *err)
{
    machine_reset(mon->machine);
    return true;
}

bool command_system_powerdown(struct monitor *mon, const struct arguments *args, struct error *err)
{
    machine_powerdown(mon->machine);
    return true;
}

bool command_nmi(struct monitor *mon, const struct arguments *args, struct error *err)
{
    cpu_raise_nmi(machine_cpu(mon->machine));
    return true;
}

bool command_sendkey(struct monitor *mon, const struct arguments *args, struct error *err)
{
    int64_t hold = args->item[1].present ? args->item[1].value : HOLD_DEFAULT_MS;
    if (hold < 1 || hold > HOLD_MAX_MS)
        return error_set(err, "keys can be held for 1 to %d milliseconds", HOLD_MAX_MS);
    return pc_send_keys(machine_pc(mon->machine), args->item[0].text, (unsigned)hold, err);
}

bool command_eject(struct monitor *mon, const struct arguments *args, struct error *err)
{
    return pc_eject(machine_pc(mon->machine), args->item[0].text, args->flag, err);
}

bool command_change(struct monitor *mon, const struct arguments *args, struct error *err)
{
    return pc_change(machine_pc(mon->machine), args->item[0].text, args->item[1].text, err);
}

bool command_log(struct monitor *mon, const struct arguments *args, struct error *err)
{
    if (strcmp(args->item[0].text, "help") == 0) {
        log_list_categories(mon->out);
        return true;
    }
    return log_parse_mask(args->item[0].text, &machine_log(mon->machine)->mask, err);
}

bool command_logfile(struct monitor *mon, const struct arguments *args, struct error *err)
{
    return log_set_file(machine_log(mon->machine), args->item[0].text, err);
}
