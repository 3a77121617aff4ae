// SPDX-License-Identifier: MIT
// Every integer instruction that neither branches nor leaves user mode, against the host's own CPU:
// registers, memory, faults, and the flags that the table calls defined; flags that the table says
// are not written must not change.
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>

#include "guest32.h"
#include "host32.h"

#include <cmocka.h>

// The same addresses in the guest and in the host process; pointers start near the middle.
#define DATA_BASE   0x00800000u
#define DATA_SIZE   0x00040000u
#define DATA_MIDDLE (DATA_BASE + DATA_SIZE / 2)
#define COMPARED    (FLAGS_ARITH | FLAG_DF)

struct fixture {
    struct guest32 *guest;
    struct host32 host;
    uint8_t *host_data, *guest_data;
    uint64_t random;
};

static uint64_t next_random(struct fixture *f)
{
    f->random ^= f->random << 13;
    f->random ^= f->random >> 7;
    f->random ^= f->random << 17;
    return f->random * UINT64_C(0x2545f4914f6cdd1d) >> 11;
}

// Values near the edges come up as often as any others.
static uint32_t next_value(struct fixture *f)
{
    static const uint32_t edges[] = {0,      1,          0xffffffff, 0x7f,       0x80, 0xff,
                                     0x7fff, 0x8000,     0xffff,     0x7fffffff, 0x0f, 0x10,
                                     0x99,   0x80000000, 0xfffffffe, 0x0100,     0x9a, 0x10000};
    uint64_t r = next_random(f);
    switch (r & 3) {
    case 0:
        return edges[(r >> 2) % ARRAY_SIZE(edges)];
    case 1:
        return (uint32_t)(r >> 8) >> (r >> 3 & 31);
    default:
        return (uint32_t)(r >> 8);
    }
}

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    *state = f;
    f->random = 88172645463325252u;
    f->guest = guest32_create();
    f->guest_data = f->guest->ram + DATA_BASE;
    f->host_data = mmap((void *)(uintptr_t)DATA_BASE, DATA_SIZE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (f->host_data != (uint8_t *)(uintptr_t)DATA_BASE || !host32_init(&f->host)) {
        print_error("the host cannot run 32-bit code\n");
        return -1;
    }
    for (uint32_t i = 0; i < DATA_SIZE; i++)
        f->host_data[i] = (uint8_t)next_random(f);
    memcpy(f->guest_data, f->host_data, DATA_SIZE);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    guest32_destroy(f->guest);
    free(f);
    return 0;
}

// Registers and flags before the instruction. Memory forms get pointers in EBX, ESI, EDI and EBP.
static void make_state(struct fixture *f, const struct opcode_row *row, bool pointers,
                       uint32_t *regs, uint32_t *eflags)
{
    for (unsigned n = 0; n < 8; n++)
        regs[n] = next_value(f);
    static const uint8_t pointer_regs[] = {REG_EBX, REG_ESI, REG_EDI, REG_EBP};
    for (size_t i = 0; pointers && i < ARRAY_SIZE(pointer_regs); i++)
        regs[pointer_regs[i]] = DATA_MIDDLE + (next_random(f) & 0x3ff) * 4;
    regs[REG_ESP] = DATA_MIDDLE + 0x8000 + (next_random(f) & 0xff) * 4;
    if (row->attributes & ATTR_STRING)
        regs[REG_ECX] = next_random(f) & 0x3f;
    *eflags = (uint32_t)next_random(f) & COMPARED;
    if (strcmp(row->mnemonic, "div") == 0 && (next_random(f) & 3))
        regs[REG_EDX] &= 0xff; // or nearly every quotient overflows
    if (strcmp(row->mnemonic, "idiv") == 0 && (next_random(f) & 3))
        regs[REG_EDX] = (uint32_t)((int32_t)regs[REG_EAX] >> 31);
}

static bool is_bit_string(const struct insn *insn)
{
    const struct opcode_row *row = &opcode_rows[insn->row];
    return insn->is_memory && row->operand[1] == OPND_Gv && strncmp(row->mnemonic, "bt", 2) == 0;
}

static void report(const struct fixture *f, const char *what, const struct insn *insn,
                   const uint8_t *bytes, const uint32_t *before, uint32_t flags_before,
                   int guest_trap)
{
    const struct host32_state *host = f->host.state;
    const struct cpu *cpu = f->guest->cpu;
    print_error("%s: %s", what, opcode_rows[insn->row].mnemonic);
    for (unsigned n = 0; n < insn->length; n++)
        print_error(" %02x", bytes[n]);
    print_error("\n  trap guest %d host %d, flags before %03x guest %03x host %03x\n", guest_trap,
                host->trap, flags_before, cpu_get_eflags(cpu) & COMPARED, host->eflags & COMPARED);
    for (unsigned n = 0; n < 8; n++)
        print_error("  r%u before %08x guest %08x host %08x\n", n, before[n], cpu->regs[n],
                    host->regs[n]);
}

static bool compare_once(struct fixture *f, const struct insn *insn, const uint8_t *bytes,
                         uint32_t *regs, uint32_t eflags)
{
    struct cpu *cpu = f->guest->cpu;
    struct host32_state *host = f->host.state;
    const struct opcode_row *row = &opcode_rows[insn->row];
    memcpy(host->regs, regs, sizeof host->regs);
    host->eflags = eflags | 0x202;
    host32_run(&f->host, bytes, insn->length);
    memcpy(cpu->regs, regs, sizeof host->regs);
    cpu_set_eflags(cpu, eflags);
    cpu->eip = 0x1000;
    int trap = guest32_step(f->guest, bytes, 32);
    uint32_t guest_flags = cpu_get_eflags(cpu);
    uint32_t compared = COMPARED & ~(uint32_t)row->flags_undefined;
    const char *what = NULL;
    if (trap != host->trap)
        what = "trap";
    else if (memcmp(cpu->regs, host->regs, sizeof host->regs) != 0)
        what = "registers";
    else if (trap < 0 && ((guest_flags ^ host->eflags) & compared))
        what = "flags";
    else if (trap >= 0 && ((guest_flags ^ eflags) & COMPARED))
        what = "flags changed by a fault";
    else if ((guest_flags ^ eflags) & COMPARED & ~(uint32_t)row->flags_written)
        what = "flags the table calls untouched";
    else if (trap < 0 && cpu->eip != 0x1000u + insn->length)
        what = "EIP";
    if (what == NULL)
        return true;
    report(f, what, insn, bytes, regs, eflags, trap);
    return false;
}

static bool is_user_integer(const struct opcode_row *row)
{
    return !(row->attributes & (ATTR_BRANCH | ATTR_IO | ATTR_STOP));
}

// Bytes of one form of the row: prefixes, opcode, ModRM, and random immediates after them.
static void make_bytes(struct fixture *f, const struct opcode_row *row, uint8_t *bytes)
{
    uint8_t *p = bytes;
    uint64_t r = next_random(f);
    if (r & 1)
        *p++ = 0x66;
    if ((row->attributes & ATTR_STRING) && (r & 6))
        *p++ = r & 2 ? 0xf3 : 0xf2;
    if (row->prefix == PFX_F3)
        *p++ = 0xf3;
    uint8_t *lock = p;
    if (row->map == MAP_0F)
        *p++ = 0x0f;
    *p++ = (uint8_t)(row->opcode + ((row->attributes & ATTR_PLUS_R) ? r >> 8 & 7 : 0));
    if (row->form != FORM_NO_MODRM) {
        static const uint8_t memory[] = {0x03, 0x06, 0x07, 0x43, 0x45, 0x46, 0x47, 0x44};
        unsigned class = row->form & FORM_CLASS;
        bool is_memory = class == FORM_MEM || (class == FORM_ANY && (r & 0x1000));
        unsigned modrm = is_memory ? memory[r >> 16 & 7] : 0xc0u | (r >> 16 & 7);
        unsigned reg = row->form & FORM_HAS_G ? row->form >> 5 & 7 : r >> 20 & 7;
        *p++ = (uint8_t)(modrm | reg << 3);
        if (modrm == 0x44)
            *p++ = r & 0x800000 ? 0x24 : 0x33; // SIB: [esp+d8]; the other is left out
        if (is_memory && (row->attributes & ATTR_LOCK) && (r & 0x2000)) {
            memmove(lock + 1, lock, (size_t)(p - lock));
            *lock = 0xf0;
            p++;
        }
    }
    while (p < bytes + 32)
        *p++ = (uint8_t)next_random(f);
}

static void compare_row(struct fixture *f, unsigned id, unsigned rounds, unsigned *failures)
{
    const struct opcode_row *row = &opcode_rows[id];
    unsigned done = 0;
    for (unsigned tries = 0; done < rounds && tries < 4 * rounds; tries++) {
        uint8_t bytes[32];
        struct insn insn;
        uint32_t regs[8];
        uint32_t eflags = 0;
        make_bytes(f, row, bytes);
        assert_int_equal(insn_decode(&f->guest->mode, bytes, sizeof bytes, &insn), DECODE_OK);
        if (insn.row != id || (insn.index != INSN_NO_REG && insn.index != REG_ZERO))
            continue;
        bool moffs = row->operand[0] == OPND_Ob || row->operand[0] == OPND_Ov ||
                     row->operand[1] == OPND_Ob || row->operand[1] == OPND_Ov;
        if (moffs) // the address is the immediate: bring it into the data
            store_le32(bytes + insn.length - 4, DATA_MIDDLE + (next_random(f) & 0xffff));
        bool pointers =
            insn.is_memory || (row->attributes & ATTR_STRING) || row->form == FORM_NO_MODRM;
        make_state(f, row, pointers, regs, &eflags);
        if (is_bit_string(&insn)) { // a bit number that stays inside the data
            if (insn.reg == insn.base)
                continue;
            regs[insn.reg] = (uint32_t)((int32_t)(regs[insn.reg] << 12) >> 12);
        }
        done++;
        if (!compare_once(f, &insn, bytes, regs, eflags) && ++*failures > 20)
            fail_msg("too many differences");
    }
    if (done < rounds / 4)
        fail_msg("row %u (%s): only %u cases", id, row->mnemonic, done);
}

static void test_against_host(void **state)
{
    struct fixture *f = *state;
    unsigned failures = 0;
    unsigned rows = 0;
    host32_catch_faults(&f->host);
    for (unsigned id = 1; id <= OPCODE_BSWAP; id++) { // the integer rows come first
        if (!is_user_integer(&opcode_rows[id]))
            continue;
        compare_row(f, id, 8000, &failures);
        rows++;
        if (memcmp(f->guest_data, f->host_data, DATA_SIZE) != 0) {
            failures++;
            for (uint32_t i = 0; i < DATA_SIZE; i++) {
                if (f->guest_data[i] != f->host_data[i]) {
                    print_error("memory after %s at %x: guest %02x host %02x\n",
                                opcode_rows[id].mnemonic, DATA_BASE + i, f->guest_data[i],
                                f->host_data[i]);
                    break;
                }
            }
            memcpy(f->guest_data, f->host_data, DATA_SIZE);
        }
    }
    print_message("%u rows\n", rows);
    assert_true(rows > 250);
    assert_int_equal(failures, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_host),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
