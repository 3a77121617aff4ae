// SPDX-License-Identifier: MIT
// Splitting a command line into what the command's grammar asks for.
#include "monitor/command_line.h"

#include <stdlib.h>

struct splitter {
    const char *at;
    const struct expr_env *env;
    struct arguments *args;
    size_t text_used;
    struct error *err;
};

static void skip_space(struct splitter *s)
{
    s->at += strspn(s->at, " \t");
}

// A word, or "text in quotes" with \" \\ \n \t.
static bool take_word(struct splitter *s, const char **text)
{
    char *to = s->args->text + s->text_used;
    *text = to;
    if (*s->at != '"') {
        size_t length = strcspn(s->at, " \t");
        memcpy(to, s->at, length);
        s->at += length;
        to += length;
    } else {
        for (s->at++; *s->at && *s->at != '"'; s->at++) {
            char c = *s->at;
            if (c == '\\' && s->at[1]) {
                c = *++s->at;
                c = c == 'n' ? '\n' : c == 't' ? '\t' : c;
            }
            *to++ = c;
        }
        if (*s->at != '"')
            return error_set(s->err, "the string has no closing quote");
        s->at++;
        if (*s->at && *s->at != ' ' && *s->at != '\t')
            return error_set(s->err, "text after the closing quote");
    }
    *to++ = '\0';
    s->text_used = (size_t)(to - s->args->text);
    return true;
}

static bool take_format(struct splitter *s)
{
    struct argument_format *f = &s->args->format;
    f->count = 1;
    skip_space(s);
    if (*s->at != '/')
        return true;
    const char *start = s->at++;
    uint64_t count = 0;
    bool has_count = false;
    for (; *s->at >= '0' && *s->at <= '9'; s->at++, has_count = true)
        if (count <= FORMAT_COUNT_MAX)
            count = count * 10 + (uint64_t)(*s->at - '0');
    if (has_count && (count == 0 || count > FORMAT_COUNT_MAX))
        return error_set(s->err, "the count of a format is 1 to %u", FORMAT_COUNT_MAX);
    if (has_count)
        f->count = (uint32_t)count;
    for (; *s->at && *s->at != ' ' && *s->at != '\t'; s->at++) {
        static const char sizes[] = "bhwg";
        const char *size = strchr(sizes, *s->at);
        if (strchr("xduoci", *s->at) && !f->format)
            f->format = *s->at;
        else if (size && !f->size)
            f->size = 1u << (size - sizes);
        else
            return error_set(
                s->err, "bad format '%.*s' (a count, one of x d u o c i, one of b h w g)",
                (int)strcspn(start, " \t") > 32 ? 32 : (int)strcspn(start, " \t"), start);
    }
    return true;
}

// The letter of a flag of this kind ('-' or '=') in the grammar, 0 when there is none.
static char flag_letter(const char *grammar, char kind)
{
    const char *at = strchr(grammar, kind);
    return at ? at[1] : 0;
}

static bool take_flags(struct splitter *s, const char *grammar)
{
    for (;;) {
        skip_space(s);
        if (s->at[0] != '-' || !s->at[1] || (s->at[2] && s->at[2] != ' ' && s->at[2] != '\t'))
            return true;
        char letter = s->at[1];
        if (letter == flag_letter(grammar, '-')) {
            s->args->flag = true;
            s->at += 2;
        } else if (letter == flag_letter(grammar, '=')) {
            s->at += 2;
            skip_space(s);
            if (!*s->at)
                return error_set(s->err, "-%c needs a value", letter);
            if (!take_word(s, &s->args->flag_text))
                return false;
        } else {
            return true;
        }
    }
}

static bool take_rest(struct splitter *s, struct argument *item)
{
    char *to = s->args->text + s->text_used;
    size_t length = strlen(s->at);
    while (length > 0 && (s->at[length - 1] == ' ' || s->at[length - 1] == '\t'))
        length--;
    memcpy(to, s->at, length);
    to[length] = '\0';
    s->at += strlen(s->at);
    item->text = to;
    return true;
}

static const char *next_letter(const char *grammar)
{
    for (; *grammar; grammar++) {
        if (*grammar == '-' || *grammar == '=')
            grammar++;
        else if (*grammar != '/' && *grammar != '?')
            return grammar;
    }
    return NULL;
}

static bool take_item(struct splitter *s, const char *letter, struct argument *item)
{
    item->present = true;
    if (*letter == 'r')
        return take_rest(s, item);
    if (*letter != 'e')
        return take_word(s, &item->text);
    return expr_parse(&s->at, s->env, next_letter(letter + 1) != NULL, &item->value, s->err);
}

bool command_line_parse(const char *line, const char *grammar, const struct expr_env *env,
                        struct arguments *args, struct error *err)
{
    memset(args, 0, offsetof(struct arguments, text));
    args->format.count = 1;
    if (strlen(line) >= ARGUMENTS_TEXT_MAX)
        return error_set(err, "the arguments are too long");
    struct splitter s = {.at = line, .env = env, .args = args, .err = err};
    if (grammar[0] == '/' && !take_format(&s))
        return false;
    unsigned n = 0;
    bool optional = false;
    for (const char *letter = next_letter(grammar); letter; letter = next_letter(letter + 1)) {
        if (!take_flags(&s, grammar))
            return false;
        optional |= letter[1] == '?';
        if (!*s.at) {
            if (!optional)
                return error_set(err, "%s", n ? "arguments are missing" : "an argument is missing");
            break;
        }
        if (!take_item(&s, letter, &args->item[n++]))
            return false;
    }
    if (!take_flags(&s, grammar))
        return false;
    if (*s.at)
        return error_set(err, "unexpected '%.*s'", strlen(s.at) > 64 ? 64 : (int)strlen(s.at),
                         s.at);
    return true;
}

char command_line_kind_at_end(const char *line, const char *grammar, size_t *start)
{
    size_t length = strlen(line), at = strspn(line, " \t");
    if (grammar[0] == '/' && line[at] == '/') {
        at += strcspn(line + at, " \t");
        if (at == length)
            return 0;
        at += strspn(line + at, " \t");
    }
    const char *letter = next_letter(grammar);
    while (letter) {
        size_t word = strcspn(line + at, " \t");
        bool is_flag = line[at] == '-' && strpbrk(grammar, "-=") != NULL;
        if (at + word == length || *letter == 'r') {
            *start = at;
            return is_flag ? 0 : *letter;
        }
        at += word;
        at += strspn(line + at, " \t");
        if (!is_flag)
            letter = next_letter(letter + 1);
    }
    return 0;
}
