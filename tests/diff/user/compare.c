// SPDX-License-Identifier: MIT
// Outcomes side by side: what counts, what differs, and whether a known reason explains it.
#include "rig.h"

#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/disassemble.h"
#include "base/error.h"
#include "cpu/fpu.h"

#define FPU_COMPARED 288u // bytes of the FXSAVE image

// Flags that the manual leaves open for this instruction, by the table's mask; for shifts by a
// count that is known here.
static uint32_t undefined_flags(const struct encoding *e, const struct user_input *in)
{
    const struct opcode_row *row = &opcode_rows[e->row];
    uint32_t undefined = row->flags_undefined;
    bool by_cl = operand_is(row, OPND_CL);
    if (!(row->attributes & ATTR_COUNT_IMM) && !by_cl)
        return undefined;
    unsigned count = (by_cl ? in->regs[REG_ECX] : e->insn.imm) & 31;
    unsigned bits = 8u * e->insn.operand_size;
    if (count == 0)
        return 0;
    bool doubles = row->map == MAP_0F; // SHLD, SHRD
    if (doubles)
        return count > bits ? undefined : count == 1 ? FLAG_AF : undefined & (FLAG_AF | FLAG_OF);
    if (count == 1)
        return undefined & ~(FLAG_OF | FLAG_CF);
    if (count < bits || strcmp(row->mnemonic, "sar") == 0)
        return undefined & ~FLAG_CF;
    return undefined;
}

// Clears bytes [from, from + length) of the operand in the changes.
static void mask_memory(struct user_output *out, uint32_t operand, uint32_t from, uint32_t length)
{
    for (uint32_t at = operand + from; at < operand + from + length; at++) {
        for (uint32_t i = 0; i < out->count && i < USER_CHANGES; i++)
            if (out->changes[i].at == (at & ~7u))
                out->changes[i].value[at >> 2 & 1] &= ~(0xffu << 8 * (at & 3));
    }
}

// Changes that are nothing but masked bytes may be missing on one side: they count by their value.
static void rehash(struct user_output *out)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < out->count && i < USER_CHANGES; i++)
        if (out->changes[i].value[0] || out->changes[i].value[1])
            out->changes[kept++] = out->changes[i];
    out->count = kept;
    out->hash = XXH32(out->changes, kept * sizeof out->changes[0], 0);
}

// Instruction and operand pointers, the opcode, and what else an image holds of the kind.
static void mask_images(const struct encoding *e, const struct case_info *info,
                        struct user_output *out)
{
    const struct opcode_row *row = &opcode_rows[e->row];
    unsigned word = e->insn.operand_size == 2 ? 2 : 4;
    if (info->operand == USER_NOWHERE)
        return;
    if (e->row == OPCODE_SSE_FXSAVE) {
        mask_memory(out, info->operand, 6, 18);
        mask_memory(out, info->operand, 28, 4);
        for (unsigned i = 0; i < 8; i++)
            mask_memory(out, info->operand, 32 + 16 * i + 10, 6);
        mask_memory(out, info->operand, FXSAVE_SIZE_SSE, FXSAVE_AREA - FXSAVE_SIZE_SSE);
        rehash(out);
    }
    if ((row->attributes & ATTR_WRITES_E) &&
        (operand_is(row, OPND_Env) || operand_is(row, OPND_Fsave))) {
        mask_memory(out, info->operand, 3 * word, 4 * word);
        rehash(out);
    }
}

static void mask_fpu(struct user_output *out)
{
    struct fpu_state fpu;
    memcpy(&fpu, out->fpu, sizeof fpu);
    fpu.opcode = 0;
    fpu.reserved = 0;
    fpu.ip = fpu.ip_selector = fpu.dp = fpu.dp_selector = 0;
    fpu.mxcsr_mask = 0;
    for (unsigned i = 0; i < 8; i++)
        memset(fpu.st[i].reserved, 0, sizeof fpu.st[i].reserved);
    memcpy(out->fpu, &fpu, sizeof fpu);
}

static bool has_error_code(uint32_t vector)
{
    return vector == EXC_DF || (vector >= EXC_TS && vector <= EXC_PF) || vector == EXC_AC;
}

void outcome_mask(const struct encoding *e, const struct user_input *in,
                  const struct case_info *info, struct user_output *out)
{
    if (out->vector == EXC_BP)
        out->eflags &= ~FLAG_RF;
    if (out->vector == EXC_BP || out->eip != e->code.eip) { // it was completed
        out->eflags &= ~undefined_flags(e, in);
        mask_images(e, info, out);
        if (e->row == OPCODE_RDTSC)
            out->regs[REG_EAX] = out->regs[REG_EDX] = 0;
        if (e->row == OPCODE_LAR && (out->eflags & FLAG_ZF) && e->insn.operand_size == 4)
            out->regs[e->insn.reg] &= 0x00f0ff00; // SDM vol. 2, LAR: 00FxFF00, x is undefined
    }
    // A null selector loses its RPL whenever the host's kernel interrupts and returns (SDM vol. 2,
    // IRET).
    for (unsigned i = 0; i < USER_SEGS; i++)
        if (out->segs[i] < 4)
            out->segs[i] = 0;
    if (!has_error_code(out->vector))
        out->error = 0;
    if (out->vector != EXC_PF)
        out->cr2 = 0;
    if (e->code.fpu)
        mask_fpu(out);
}

void outcome_clear_dead_flags(const struct encoding *e, struct user_output *out)
{
    const struct opcode_row *row = &opcode_rows[e->row];
    if (out->vector != EXC_BP && out->eip == e->code.eip)
        out->eflags &= ~(uint32_t)(row->flags_written & ~insn_flags_read(&e->insn));
}

bool outcome_equal(const struct encoding *e, const struct user_output *a,
                   const struct user_output *b)
{
    return memcmp(a->regs, b->regs, sizeof a->regs) == 0 && a->eflags == b->eflags &&
           a->eip == b->eip && a->vector == b->vector && a->error == b->error && a->cr2 == b->cr2 &&
           memcmp(a->segs, b->segs, sizeof a->segs) == 0 && a->count == b->count &&
           a->hash == b->hash && (!e->code.fpu || memcmp(a->fpu, b->fpu, FPU_COMPARED) == 0);
}

uint64_t outcome_hash(const struct encoding *e, const struct user_output *out)
{
    XXH3_state_t state;
    XXH3_64bits_reset(&state);
    const uint32_t words[] = {out->eflags, out->eip,   out->vector, out->error,
                              out->cr2,    out->count, out->hash};
    XXH3_64bits_update(&state, out->regs, sizeof out->regs);
    XXH3_64bits_update(&state, words, sizeof words);
    XXH3_64bits_update(&state, out->segs, sizeof out->segs);
    if (e->code.fpu)
        XXH3_64bits_update(&state, out->fpu, FPU_COMPARED);
    return XXH3_64bits_digest(&state);
}

bool row_depends_on_host(unsigned row)
{
    // Each maker has his own approximations, leaves other things in C0-C3, and shifts 16 bits by
    // more than 16 in another way.
    static const char *const names[] = {"rcpps", "rcpss", "rsqrtps", "rsqrtss", "shld", "shrd"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (strcmp(opcode_rows[row].mnemonic, names[i]) == 0)
            return true;
    return (opcode_rows[row].attributes & ATTR_FPU) != 0;
}

// ---- reports ----

static const char *const reg_names[8] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};
static const char *const seg_names[6] = {"es", "cs", "ss", "ds", "fs", "gs"};

struct text {
    char *at;
    size_t left;
};

static void append(struct text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void append(struct text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text->at, text->left, format, args);
    va_end(args);
    if (n > 0) {
        size_t step = (size_t)n < text->left ? (size_t)n : text->left - 1;
        text->at += step;
        text->left -= step;
    }
}

static void append_fpu(struct text *t, const struct user_output *host,
                       const struct user_output *emu)
{
    struct fpu_state a, b;
    memcpy(&a, host->fpu, sizeof a);
    memcpy(&b, emu->fpu, sizeof b);
    if (a.control != b.control)
        append(t, " fcw=%04x/%04x", a.control, b.control);
    if (a.status != b.status)
        append(t, " fsw=%04x/%04x", a.status, b.status);
    if (a.tags != b.tags)
        append(t, " tags=%02x/%02x", a.tags, b.tags);
    if (a.mxcsr != b.mxcsr)
        append(t, " mxcsr=%04x/%04x", a.mxcsr, b.mxcsr);
    for (unsigned i = 0; i < 8; i++) {
        if (memcmp(a.st[i].bytes, b.st[i].bytes, 10) != 0)
            append(t, " st%u=%04x:%016llx/%04x:%016llx", i, load_le16(a.st[i].bytes + 8),
                   (unsigned long long)load_le64(a.st[i].bytes), load_le16(b.st[i].bytes + 8),
                   (unsigned long long)load_le64(b.st[i].bytes));
    }
    for (unsigned i = 0; i < 8; i++) {
        if (memcmp(a.xmm[i], b.xmm[i], 16) != 0)
            append(t, " xmm%u=%016llx%016llx/%016llx%016llx", i,
                   (unsigned long long)load_le64(a.xmm[i] + 8),
                   (unsigned long long)load_le64(a.xmm[i]),
                   (unsigned long long)load_le64(b.xmm[i] + 8),
                   (unsigned long long)load_le64(b.xmm[i]));
    }
}

static void append_memory(struct text *t, const struct user_output *host,
                          const struct user_output *emu)
{
    if (host->count == emu->count && host->hash == emu->hash)
        return;
    for (uint32_t i = 0; i < USER_CHANGES && (i < host->count || i < emu->count); i++) {
        const struct user_change none = {USER_NOWHERE, {0, 0}};
        struct user_change a = i < host->count ? host->changes[i] : none;
        struct user_change b = i < emu->count ? emu->changes[i] : none;
        if (memcmp(&a, &b, sizeof a) == 0)
            continue;
        append(t, " mem[%x]=%08x%08x/[%x]%08x%08x", a.at, a.value[1], a.value[0], b.at, b.value[1],
               b.value[0]);
        return; // the first tells
    }
    append(t, " mem");
}

static void append_fields(struct text *t, const struct encoding *e, const struct user_output *host,
                          const struct user_output *emu)
{
    if (host->vector != emu->vector)
        append(t, " vec=%u/%u", host->vector, emu->vector);
    if (host->error != emu->error)
        append(t, " err=%x/%x", host->error, emu->error);
    if (host->cr2 != emu->cr2)
        append(t, " cr2=%x/%x", host->cr2, emu->cr2);
    if (host->eip != emu->eip)
        append(t, " eip=%x/%x", host->eip, emu->eip);
    if (host->eflags != emu->eflags)
        append(t, " flags=%x/%x", host->eflags, emu->eflags);
    for (unsigned i = 0; i < 8; i++)
        if (host->regs[i] != emu->regs[i])
            append(t, " %s=%x/%x", reg_names[i], host->regs[i], emu->regs[i]);
    for (unsigned i = 0; i < 6; i++)
        if (host->segs[i] != emu->segs[i])
            append(t, " %s=%x/%x", seg_names[i], host->segs[i], emu->segs[i]);
    append_memory(t, host, emu);
    if (e->code.fpu)
        append_fpu(t, host, emu);
}

void outcome_signature(const struct encoding *e, const char *executor,
                       const struct user_output *host, const struct user_output *emu, char *text,
                       size_t size)
{
    struct text t = {text, size};
    append(&t, "%s %s %s%s v%u", executor, row_name(e->row), form_name(e->form),
           e->insn.is_memory && e->insn.address_size == 2 ? " addr16" : "", host->vector);
    append_fields(&t, e, host, emu);
}

static void print_input(const struct encoding *e, const struct user_input *in)
{
    printf(" ");
    for (unsigned i = 0; i < 8; i++)
        printf(" %s=%08x", reg_names[i], in->regs[i]);
    printf(" flags=%x es=%x ds=%x fs=%x gs=%x\n", in->eflags, in->segs[USER_ES],
           in->segs[USER_SEG_DS], in->segs[USER_FS], in->segs[USER_GS]);
    const uint8_t *data = in->data;
    for (unsigned i = 0; i < 2; i++) {
        if (in->patches[i].length) {
            printf("  arena+%x:", in->patches[i].at);
            for (unsigned n = 0; n < in->patches[i].length && n < 32; n++)
                printf(" %02x", data[n]);
            printf("\n");
        }
        data += in->patches[i].length;
    }
    if (!e->code.fpu)
        return;
    struct fpu_state fpu;
    memcpy(&fpu, in->fpu, sizeof fpu);
    printf("  fcw=%04x fsw=%04x tags=%02x mxcsr=%04x", fpu.control, fpu.status, fpu.tags,
           fpu.mxcsr);
    for (unsigned i = 0; i < 8; i++)
        printf("%sst%u=%04x:%016llx", i % 4 ? " " : "\n  ", i, load_le16(fpu.st[i].bytes + 8),
               (unsigned long long)load_le64(fpu.st[i].bytes));
    for (unsigned i = 0; i < 8; i++)
        printf("%sxmm%u=%016llx%016llx", i % 4 ? " " : "\n  ", i,
               (unsigned long long)load_le64(fpu.xmm[i] + 8),
               (unsigned long long)load_le64(fpu.xmm[i]));
    printf("\n");
}

void outcome_print(const struct encoding *e, const struct user_input *in, const char *executor,
                   const struct user_output *host, const struct user_output *emu)
{
    char line[128], fields[1024];
    struct text t = {fields, sizeof fields};
    disassemble(DISASSEMBLE_32, e->code.eip, e->code.bytes, sizeof e->code.bytes, line,
                sizeof line);
    printf("%s %s %s: %x:", executor, row_name(e->row), form_name(e->form), e->code.eip);
    for (unsigned i = 0; i < e->code.length; i++)
        printf(" %02x", e->code.bytes[i]);
    append_fields(&t, e, host, emu);
    printf("  %s\n", line);
    print_input(e, in);
    printf("  host/emu (vector %u):%s\n", host->vector, fields);
}

// ---- explained differences ----

struct reason {
    regex_t regex;
    char *text; // the whole line
    uint64_t hits;
};

struct explained {
    struct reason *reasons;
    size_t count;
};

struct explained *explained_load(const char *path)
{
    struct explained *x = xcalloc(1, sizeof *x);
    char line[1024];
    FILE *file = fopen(path, "r");
    if (!file) {
        fprintf(stderr, "%s: cannot be read\n", path);
        exit(2);
    }
    while (fgets(line, sizeof line, file)) {
        char *tab = strchr(line, '\t');
        line[strcspn(line, "\n")] = 0;
        if (line[0] == '#' || !tab)
            continue;
        x->reasons = xrealloc(x->reasons, (x->count + 1) * sizeof *x->reasons);
        struct reason *reason = &x->reasons[x->count++];
        *reason = (struct reason){.text = xstrdup(line)};
        *tab = 0;
        if (regcomp(&reason->regex, line, REG_EXTENDED | REG_NOSUB) != 0) {
            fprintf(stderr, "%s: not a regular expression: %s\n", path, line);
            exit(2);
        }
    }
    fclose(file);
    return x;
}

bool explained_match(struct explained *x, const char *signature)
{
    for (size_t i = 0; i < x->count; i++) {
        if (regexec(&x->reasons[i].regex, signature, 0, NULL, 0) == 0) {
            x->reasons[i].hits++;
            return true;
        }
    }
    return false;
}

void explained_print(const struct explained *x)
{
    for (size_t i = 0; i < x->count; i++)
        if (x->reasons[i].hits)
            printf("%10llu explained: %s\n", (unsigned long long)x->reasons[i].hits,
                   x->reasons[i].text);
}

void explained_free(struct explained *x)
{
    for (size_t i = 0; i < x->count; i++) {
        regfree(&x->reasons[i].regex);
        free(x->reasons[i].text);
    }
    free(x->reasons);
    free(x);
}
