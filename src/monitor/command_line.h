// SPDX-License-Identifier: MIT
// The arguments of a command line by the grammar in the command's row. A grammar is a string of
// letters, one for each argument:
//   e expression   w word   r rest of the line   f file   l loaded plugin   L loadable plugin
//   b block device   k keys   c log categories   h command   t info topic   s signal
// '?' after a letter: it and what follows may be left out. '/' first: a format like /4xw. "-F": the
// flag -F; "=F": the flag -F with a word; flags stand anywhere among the words.
#ifndef EMU_MONITOR_COMMAND_LINE_H
#define EMU_MONITOR_COMMAND_LINE_H

#include "monitor/expr.h"

#define ARGUMENTS_MAX      4u
#define ARGUMENTS_TEXT_MAX 4096u
#define FORMAT_COUNT_MAX   65536u

struct argument_format {
    uint32_t count; // 1 unless given
    char format;    // one of x d u o c i; 0: not given
    unsigned size;  // bytes, 1, 2, 4 or 8; 0: not given
};

struct argument {
    bool present;
    int64_t value;    // e
    const char *text; // the others
};

struct arguments {
    struct argument_format format;
    struct argument item[ARGUMENTS_MAX];
    bool flag;             // "-F" was given
    const char *flag_text; // of "=F"; NULL: not given
    char text[ARGUMENTS_TEXT_MAX + ARGUMENTS_MAX + 2];
};

bool command_line_parse(const char *line, const char *grammar, const struct expr_env *env,
                        struct arguments *arguments, struct error *err);

// The letter of the argument that the end of `line` stands in, 0 when there is none; *start is
// where the argument begins. For completion.
char command_line_kind_at_end(const char *line, const char *grammar, size_t *start);

#endif
