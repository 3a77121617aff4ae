// SPDX-License-Identifier: MIT
// Recursive descent by precedence, with a bound on the depth.
#include "monitor/expr.h"

#include <ctype.h>

#define DEPTH_MAX 64

struct parser {
    const char *at;
    const struct expr_env *env;
    bool one_word;
    unsigned depth;
    struct error *err;
};

struct operator_row {
    const char *text;
    unsigned precedence;
};

static const struct operator_row operators[] = {
    {"|", 1}, {"^", 2}, {"&", 3}, {"<<", 4}, {">>", 4},
    {"+", 5}, {"-", 5}, {"*", 6}, {"/", 6},  {"%", 6},
};

static bool parse_binary(struct parser *p, unsigned precedence, int64_t *value);

static void skip_space(struct parser *p)
{
    while (*p->at == ' ' || *p->at == '\t')
        p->at++;
}

static bool parse_number(struct parser *p, int64_t *value)
{
    const char *start = p->at;
    unsigned base = 10;
    if (*p->at == '0') {
        base = 8;
        if (p->at[1] == 'x' || p->at[1] == 'X') {
            base = 16;
            p->at += 2;
        }
    }
    uint64_t number = 0;
    const char *digits = p->at;
    bool too_big = false;
    for (; isxdigit((unsigned char)*p->at); p->at++) {
        int c = tolower((unsigned char)*p->at);
        unsigned digit = (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
        if (digit >= base)
            break;
        too_big |= number > (UINT64_MAX - digit) / base;
        number = number * base + digit;
    }
    bool ended = !isalnum((unsigned char)*p->at) && *p->at != '_';
    if (!ended)
        while (isalnum((unsigned char)*p->at) || *p->at == '_')
            p->at++;
    int length = p->at - start > 64 ? 64 : (int)(p->at - start);
    if (p->at == digits || !ended)
        return error_set(p->err, "'%.*s' is not a number", length, start);
    if (too_big)
        return error_set(p->err, "%.*s does not fit in 64 bits", length, start);
    *value = (int64_t)number;
    return true;
}

static bool parse_register(struct parser *p, int64_t *value)
{
    const char *name = ++p->at;
    while (isalnum((unsigned char)*p->at) || *p->at == '_' || *p->at == '.')
        p->at++;
    size_t length = (size_t)(p->at - name);
    if (p->env && length > 0 && p->env->get_register(p->env->self, name, length, value))
        return true;
    return error_set(p->err, "unknown register '$%.*s'", length > 64 ? 64 : (int)length, name);
}

static bool parse_character(struct parser *p, int64_t *value)
{
    if (!p->at[1] || p->at[2] != '\'')
        return error_set(p->err, "unterminated character constant");
    *value = (unsigned char)p->at[1];
    p->at += 3;
    return true;
}

static bool parse_primary(struct parser *p, int64_t *value)
{
    skip_space(p);
    char c = *p->at;
    if (isdigit((unsigned char)c))
        return parse_number(p, value);
    if (c == '$')
        return parse_register(p, value);
    if (c == '\'')
        return parse_character(p, value);
    if (c == '(') {
        p->at++;
        bool one_word = p->one_word;
        p->one_word = false;
        if (!parse_binary(p, 1, value))
            return false;
        p->one_word = one_word;
        skip_space(p);
        if (*p->at != ')')
            return error_set(p->err, "')' is missing");
        p->at++;
        return true;
    }
    if (!c)
        return error_set(p->err, "the expression is not complete");
    size_t length = strcspn(p->at, " \t");
    return error_set(p->err, "'%.*s' is not a number, a $register or an expression",
                     length > 64 ? 64 : (int)length, p->at);
}

static bool parse_unary(struct parser *p, int64_t *value)
{
    skip_space(p);
    char sign = *p->at;
    if (sign != '-' && sign != '+' && sign != '~')
        return parse_primary(p, value);
    if (p->depth == DEPTH_MAX)
        return error_set(p->err, "the expression is nested too deeply");
    p->depth++;
    p->at++;
    bool ok = parse_unary(p, value);
    p->depth--;
    if (sign == '-')
        *value = (int64_t)(0 - (uint64_t)*value);
    else if (sign == '~')
        *value = ~*value;
    return ok;
}

static const struct operator_row *peek_operator(const struct parser *p, const char *at)
{
    for (size_t i = 0; i < ARRAY_SIZE(operators); i++) {
        size_t length = strlen(operators[i].text);
        if (strncmp(at, operators[i].text, length) != 0)
            continue;
        bool space_before = at > p->at, space_after = at[length] == ' ' || at[length] == '\t';
        if (p->one_word && space_before && !space_after)
            return NULL;
        return &operators[i];
    }
    return NULL;
}

static bool divide(struct parser *p, char op, int64_t left, int64_t right, int64_t *value)
{
    if (right == 0)
        return error_set(p->err, "division by zero");
    if (right == -1) // the quotient of the smallest number would trap
        *value = op == '/' ? (int64_t)(0 - (uint64_t)left) : 0;
    else
        *value = op == '/' ? left / right : left % right;
    return true;
}

static bool shift(struct parser *p, char op, int64_t left, int64_t right, int64_t *value)
{
    if (right < 0 || right > 63)
        return error_set(p->err, "shift by %lld; say 0 to 63", (long long)right);
    *value = op == '<' ? (int64_t)((uint64_t)left << right) : (int64_t)((uint64_t)left >> right);
    return true;
}

static bool apply(struct parser *p, char op, int64_t left, int64_t right, int64_t *value)
{
    uint64_t a = (uint64_t)left, b = (uint64_t)right;
    switch (op) {
    case '+':
        *value = (int64_t)(a + b);
        return true;
    case '-':
        *value = (int64_t)(a - b);
        return true;
    case '*':
        *value = (int64_t)(a * b);
        return true;
    case '&':
        *value = left & right;
        return true;
    case '|':
        *value = left | right;
        return true;
    case '^':
        *value = left ^ right;
        return true;
    case '/':
    case '%':
        return divide(p, op, left, right, value);
    default:
        return shift(p, op, left, right, value);
    }
}

static bool parse_binary(struct parser *p, unsigned precedence, int64_t *value)
{
    if (p->depth == DEPTH_MAX)
        return error_set(p->err, "the expression is nested too deeply");
    p->depth++;
    bool ok = parse_unary(p, value);
    while (ok) {
        const char *at = p->at + strspn(p->at, " \t");
        const struct operator_row *op = peek_operator(p, at);
        if (!op || op->precedence < precedence)
            break;
        p->at = at + strlen(op->text);
        int64_t right = 0;
        ok = parse_binary(p, op->precedence + 1, &right) &&
             apply(p, op->text[0], *value, right, value);
    }
    p->depth--;
    return ok;
}

bool expr_parse(const char **text, const struct expr_env *env, bool one_word, int64_t *value,
                struct error *err)
{
    struct parser p = {.at = *text, .env = env, .one_word = one_word, .err = err};
    *value = 0;
    if (!parse_binary(&p, 1, value))
        return false;
    *text = p.at;
    return true;
}
