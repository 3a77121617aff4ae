// SPDX-License-Identifier: MIT
// Commands and info topics: the tables, and running a line.
#ifndef EMU_MONITOR_COMMAND_H
#define EMU_MONITOR_COMMAND_H

#include "monitor/command_line.h"
#include "monitor/monitor_internal.h"

// False with the reason in err: printed as one line after the command's name.
typedef bool command_function(struct monitor *mon, const struct arguments *args, struct error *err);

struct command {
    const char *name;
    const char *alias;   // may be NULL
    const char *grammar; // command_line.h
    const char *params;  // as help shows them
    const char *help;
    command_function *run;
};

extern const struct command commands[];
extern const size_t command_count;
extern const struct command info_topics[];
extern const size_t info_topic_count;

// Parses and runs one line; prints what is wrong with it.
void command_execute(struct monitor *mon, const char *line);
const struct command *command_find(const struct command *table, size_t count, const char *name,
                                   size_t length);
// The name at the start of a line: where it begins and how long it is.
size_t command_name(const char *line, const char **name);

// Registers in expressions.
struct expr_env command_expr_env(struct monitor *mon);
const char *register_name(size_t index); // NULL at the end

#define COMMAND(name, alias, grammar, params, help, function) command_function function;
#define INFO(name, grammar, params, help, function)           command_function function;
#include "monitor/commands.def"
#include "monitor/info.def"
#undef COMMAND
#undef INFO

#endif
