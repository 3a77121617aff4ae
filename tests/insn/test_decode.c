// SPDX-License-Identifier: MIT
// The decoder and the rows of the opcode table: every row is reachable and says what its encoding
// says; lengths, operands and names agree with Zydis, an independent decoder, on random bytes.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <Zydis/Zydis.h>
#include <cmocka.h>

#include "cpu/cpu.h"
#include "cpu/decode.h"

static const struct decode_mode mode32 = {.code32 = true, .features = ~0u};
static const struct decode_mode mode16 = {.code32 = false, .features = ~0u};

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * UINT64_C(0x2545f4914f6cdd1d);
}

static struct insn decode(const struct decode_mode *mode, const char *bytes, size_t length)
{
    struct insn insn;
    uint8_t buffer[32] = {0};
    memcpy(buffer, bytes, length);
    assert_int_equal(insn_decode(mode, buffer, sizeof buffer, &insn), DECODE_OK);
    return insn;
}

#define DECODE(mode, bytes) decode(mode, bytes, sizeof(bytes) - 1)

static void test_addressing32(void **state)
{
    struct insn i =
        DECODE(&mode32, "\x8b\x84\x8d\x78\x56\x34\x12"); // mov eax, [ebp+ecx*4+12345678]
    assert_int_equal(i.row, OPCODE_MOV_Gv_Ev);
    assert_int_equal(i.length, 7);
    assert_int_equal(i.base, REG_EBP);
    assert_int_equal(i.index, REG_ECX);
    assert_int_equal(i.scale, 2);
    assert_int_equal(i.disp, 0x12345678);
    assert_int_equal(i.segment, SEG_SS);
    assert_int_equal(i.operand_size, 4);
    assert_ptr_equal(i.handler, opcode_rows[OPCODE_MOV_Gv_Ev].handler[3]);
    i = DECODE(&mode32, "\x66\x8b\x04\x24"); // mov ax, [esp]
    assert_int_equal(i.base, REG_ESP);
    assert_int_equal(i.index, INSN_NO_REG);
    assert_int_equal(i.segment, SEG_SS);
    assert_int_equal(i.operand_size, 2);
    assert_ptr_equal(i.handler, opcode_rows[OPCODE_MOV_Gv_Ev].handler[2]);
    i = DECODE(&mode32, "\x8b\x04\x8d\xfc\xff\xff\xff"); // mov eax, [ecx*4-4]
    assert_int_equal(i.base, INSN_NO_REG);
    assert_int_equal(i.segment, SEG_DS);
    assert_int_equal(i.disp, 0xfffffffc);
    i = DECODE(&mode32, "\x3e\x65\x8b\x45\xff"); // mov eax, gs:[ebp-1]: the last override wins
    assert_int_equal(i.segment, SEG_GS);
    assert_int_equal(i.disp, 0xffffffff);
    i = DECODE(&mode32, "\x8b\x05\x44\x33\x22\x11"); // mov eax, [11223344]
    assert_int_equal(i.base, INSN_NO_REG);
    assert_int_equal(i.disp, 0x11223344);
}

static void test_addressing16(void **state)
{
    struct insn i = DECODE(&mode16, "\x8b\x42\xfe"); // mov ax, [bp+si-2]
    assert_int_equal(i.base, REG_EBP);
    assert_int_equal(i.index, REG_ESI);
    assert_int_equal(i.segment, SEG_SS);
    assert_int_equal(i.disp, 0xfffffffe);
    assert_int_equal(i.address_size, 2);
    assert_int_equal(i.operand_size, 2);
    i = DECODE(&mode16, "\x8b\x0e\x34\x12"); // mov cx, [1234]
    assert_int_equal(i.base, INSN_NO_REG);
    assert_int_equal(i.segment, SEG_DS);
    assert_int_equal(i.disp, 0x1234);
    assert_int_equal(i.reg, REG_ECX);
    i = DECODE(&mode16, "\x67\x66\x8b\x44\x24\x04"); // mov eax, [esp+4]
    assert_int_equal(i.base, REG_ESP);
    assert_int_equal(i.operand_size, 4);
    assert_int_equal(i.address_size, 4);
    i = DECODE(&mode16, "\x67\xa1\x78\x56\x34\x12"); // mov ax, [12345678]
    assert_int_equal(i.disp, 0x12345678);
    assert_int_equal(i.length, 6);
    assert_int_equal(i.is_memory, 1);
}

static void test_immediates(void **state)
{
    struct insn i = DECODE(&mode32, "\x83\xc0\xff"); // add eax, -1
    assert_int_equal(i.imm, 0xffffffff);
    i = DECODE(&mode32, "\xcd\x80");
    assert_int_equal(i.imm, 0x80);
    i = DECODE(&mode32, "\x66\xe9\xfe\xff"); // jmp rel16
    assert_int_equal(i.imm, 0xfffffffe);
    assert_int_equal(i.length, 4);
    i = DECODE(&mode32, "\xc8\x10\x20\x03"); // enter 2010, 3
    assert_int_equal(i.imm, 0x2010);
    assert_int_equal(i.imm2, 3);
    assert_int_equal(i.length, 4);
    i = DECODE(&mode32, "\xea\x78\x56\x34\x12\x08\x00"); // jmp 8:12345678
    assert_int_equal(i.imm, 0x12345678);
    assert_int_equal(i.imm2, 8);
    i = DECODE(&mode32, "\xd1\xe0"); // shl eax, 1
    assert_int_equal(i.imm, 1);
    assert_int_equal(i.length, 2);
    i = DECODE(&mode32, "\x57"); // push edi
    assert_int_equal(i.rm, REG_EDI);
}

static void assert_invalid(const struct decode_mode *mode, const char *bytes, size_t length)
{
    struct insn i = decode(mode, bytes, length);
    assert_int_equal(i.row, OPCODE_INVALID);
    assert_ptr_equal(i.handler, opcode_rows[OPCODE_INVALID].handler[0]);
}

#define ASSERT_INVALID(mode, bytes) assert_invalid(mode, bytes, sizeof(bytes) - 1)

static void test_lock(void **state)
{
    assert_int_equal(DECODE(&mode32, "\xf0\x01\x08").row, OPCODE_ADD_Ev_Gv);
    assert_int_equal(DECODE(&mode32, "\xf0\x0f\xb1\x08").row, OPCODE_CMPXCHG_Ev_Gv);
    ASSERT_INVALID(&mode32, "\xf0\x01\xc8");     // register destination
    ASSERT_INVALID(&mode32, "\xf0\x03\x08");     // memory is the source
    ASSERT_INVALID(&mode32, "\xf0\x39\x08");     // CMP
    ASSERT_INVALID(&mode32, "\xf0\x89\x08");     // MOV
    ASSERT_INVALID(&mode32, "\xf0\x90");         // NOP
    ASSERT_INVALID(&mode32, "\xf0\x0f\xa3\x08"); // BT
    assert_int_equal(DECODE(&mode32, "\xf0\x0f\xab\x08").row, OPCODE_BTS_Ev_Gv);
}

static void test_features(void **state)
{
    struct decode_mode mode = mode32;
    mode.features &= ~(1u << FEATURE_CMOV);
    assert_int_equal(DECODE(&mode32, "\x0f\x44\xc1").row, OPCODE_CMOVE);
    ASSERT_INVALID(&mode, "\x0f\x44\xc1");
    mode.features = 0;
    ASSERT_INVALID(&mode, "\x0f\xc7\x08"); // CMPXCHG8B
    ASSERT_INVALID(&mode, "\x0f\x1f\x00");
    assert_int_equal(DECODE(&mode, "\x0f\xc8").row, OPCODE_BSWAP);
    ASSERT_INVALID(&mode32, "\x0f\xff\xc0");
    ASSERT_INVALID(&mode32, "\x8f\xc8"); // 8F /1
}

static void test_lengths(void **state)
{
    struct insn insn;
    uint8_t bytes[32];
    memset(bytes, 0x66, sizeof bytes);
    bytes[14] = 0x90;
    assert_int_equal(insn_decode(&mode32, bytes, sizeof bytes, &insn), DECODE_OK);
    assert_int_equal(insn.length, 15);
    assert_int_equal(insn_decode(&mode32, bytes, 14, &insn), DECODE_TRUNCATED);
    bytes[14] = 0x66;
    bytes[15] = 0x90;
    assert_int_equal(insn_decode(&mode32, bytes, sizeof bytes, &insn), DECODE_TOO_LONG);
    assert_int_equal(insn_decode(&mode32, bytes, 16, &insn), DECODE_TOO_LONG);
    assert_int_equal(insn_decode(&mode32, bytes, 15, &insn), DECODE_TOO_LONG);
    // Every proper prefix of an instruction is truncated.
    static const uint8_t longest[] = {0x65, 0xf0, 0x81, 0x84, 0x8d, 1, 2, 3, 4, 5, 6, 7, 8};
    for (size_t n = 0; n < sizeof longest; n++)
        assert_int_equal(insn_decode(&mode32, longest, n, &insn), DECODE_TRUNCATED);
    assert_int_equal(insn_decode(&mode32, longest, sizeof longest, &insn), DECODE_OK);
    assert_int_equal(insn.length, sizeof longest);
}

// An instruction of which only the first bytes are there (it crosses a page) is never taken for
// another one, nor for an undefined one, whatever its opcode and ModRM byte.
static void test_prefixes_are_truncated(void **state)
{
    uint8_t bytes[17] = {0};
    for (unsigned n = 0; n < 512 * 256; n++) {
        unsigned at = 0;
        if (n >> 16)
            bytes[at++] = 0x0f;
        bytes[at++] = (uint8_t)(n >> 8);
        bytes[at] = (uint8_t)n;
        struct insn insn, part;
        assert_int_equal(insn_decode(&mode32, bytes, sizeof bytes, &insn), DECODE_OK);
        if (insn.row == OPCODE_INVALID)
            continue;
        for (unsigned have = 0; have < insn.length; have++)
            assert_int_equal(insn_decode(&mode32, bytes, have, &part), DECODE_TRUNCATED);
        memset(bytes, 0, sizeof bytes);
    }
}

// One encoding of a row, with the given ModRM byte where it takes one.
static size_t encode_row(const struct opcode_row *row, uint8_t modrm, unsigned low, uint8_t *bytes)
{
    uint8_t *p = bytes;
    if (row->prefix >= PFX_66)
        *p++ = row->prefix == PFX_66 ? 0x66 : row->prefix == PFX_F3 ? 0xf3 : 0xf2;
    if (row->map == MAP_0F)
        *p++ = 0x0f;
    *p++ = (uint8_t)(row->opcode + ((row->attributes & ATTR_PLUS_R) ? low : 0));
    if (row->form != FORM_NO_MODRM)
        *p++ = modrm;
    return (size_t)(p - bytes);
}

static bool form_accepts(unsigned form, unsigned modrm)
{
    unsigned class = form & FORM_CLASS;
    return !(class == FORM_MEM && modrm >= 0xc0) && !(class == FORM_REG && modrm < 0xc0) &&
           !((form & FORM_HAS_G) && (form >> 5 & 7) != (modrm >> 3 & 7)) &&
           !((form & FORM_HAS_R) && (form >> 9 & 7) != (modrm & 7));
}

// Each row is found from at least one of its encodings, and each of its encodings finds a row of
// the same opcode.
static void test_rows_reachable(void **state)
{
    for (unsigned id = 1; id < OPCODE_COUNT; id++) {
        const struct opcode_row *row = &opcode_rows[id];
        unsigned found = 0;
        for (unsigned modrm = 0; modrm < 256; modrm++) {
            if (row->form != FORM_NO_MODRM && !form_accepts(row->form, modrm))
                continue;
            uint8_t bytes[32] = {0};
            encode_row(row, (uint8_t)modrm, modrm & 7, bytes);
            struct insn insn;
            assert_int_equal(insn_decode(&mode32, bytes, sizeof bytes, &insn), DECODE_OK);
            assert_int_not_equal(insn.row, OPCODE_INVALID);
            assert_int_equal(opcode_rows[insn.row].map, row->map);
            found += insn.row == id;
        }
        if (found == 0)
            fail_msg("row %u (%s, opcode %02x) is never decoded", id, row->mnemonic, row->opcode);
        for (unsigned n = 0; n < 4; n++)
            assert_non_null(row->handler[n]);
    }
}

// Instruction sets of the Pentium 4 in Zydis' classification.
static bool is_pentium4(const ZydisDecodedInstruction *z)
{
    switch (z->meta.isa_set) {
    case ZYDIS_ISA_SET_I86:
    case ZYDIS_ISA_SET_I186:
    case ZYDIS_ISA_SET_I286REAL:
    case ZYDIS_ISA_SET_I286PROTECTED:
    case ZYDIS_ISA_SET_I386:
    case ZYDIS_ISA_SET_I486:
    case ZYDIS_ISA_SET_I486REAL:
    case ZYDIS_ISA_SET_PENTIUMREAL:
    case ZYDIS_ISA_SET_PENTIUMMMX:
    case ZYDIS_ISA_SET_PPRO:
    case ZYDIS_ISA_SET_CMOV:
    case ZYDIS_ISA_SET_FCMOV:
    case ZYDIS_ISA_SET_FXSAVE:
    case ZYDIS_ISA_SET_LAHF:
    case ZYDIS_ISA_SET_PAUSE:
    case ZYDIS_ISA_SET_RDPMC:
    case ZYDIS_ISA_SET_SSE:
    case ZYDIS_ISA_SET_SSE2:
    case ZYDIS_ISA_SET_SSE2MMX:
    case ZYDIS_ISA_SET_SSEMXCSR:
    case ZYDIS_ISA_SET_SSE_PREFETCH:
    case ZYDIS_ISA_SET_CLFSH:
    case ZYDIS_ISA_SET_FAT_NOP:
    case ZYDIS_ISA_SET_X87:
        return true;
    default:
        return false;
    }
}

static int zydis_register(ZydisRegister reg)
{
    if (reg == ZYDIS_REGISTER_NONE)
        return INSN_NO_REG;
    if (reg >= ZYDIS_REGISTER_EAX && reg <= ZYDIS_REGISTER_EDI)
        return (int)(reg - ZYDIS_REGISTER_EAX);
    if (reg >= ZYDIS_REGISTER_AX && reg <= ZYDIS_REGISTER_DI)
        return (int)(reg - ZYDIS_REGISTER_AX);
    return -1;
}

static const char *check_memory(const struct insn *insn, const ZydisDecodedInstruction *z,
                                const ZydisDecodedOperand *operands)
{
    for (unsigned n = 0; n < z->operand_count_visible; n++) {
        const ZydisDecodedOperand *op = &operands[n];
        if (op->type != ZYDIS_OPERAND_TYPE_MEMORY || op->encoding == ZYDIS_OPERAND_ENCODING_NONE)
            continue;
        uint32_t mask = insn->address_size == 2 ? 0xffff : 0xffffffff;
        if (!insn->is_memory)
            return "memory operand";
        if (zydis_register(op->mem.base) != insn->base)
            return "base";
        if (zydis_register(op->mem.index) != insn->index)
            return "index";
        if (insn->index != INSN_NO_REG && op->mem.scale != 1u << insn->scale)
            return "scale";
        if (((uint32_t)op->mem.disp.value & mask) != (insn->disp & mask))
            return "displacement";
        if (op->mem.segment != ZYDIS_REGISTER_NONE &&
            (int)(op->mem.segment - ZYDIS_REGISTER_ES) != insn->segment)
            return "segment";
    }
    return NULL;
}

static const char *check_immediate(const struct insn *insn, const ZydisDecodedInstruction *z)
{
    if (z->raw.imm[0].size == 0)
        return NULL;
    uint32_t mask = z->raw.imm[0].size == 8 ? 0xff : z->raw.imm[0].size == 16 ? 0xffff : ~0u;
    if (((uint32_t)z->raw.imm[0].value.u & mask) != (insn->imm & mask))
        return "immediate";
    if (z->raw.imm[1].size != 0 && (uint16_t)z->raw.imm[1].value.u != insn->imm2)
        return "second immediate";
    return NULL;
}

// Zydis spells conditions and operand sizes in its own way.
static bool is_same_name(const char *ours, const char *theirs)
{
    static const struct {
        const char *ours, *theirs;
    } aliases[] = {
        {"cbw", "cwde"},          {"cwd", "cdq"},
        {"jcxz", "jecxz"},        {"retf", "ret"},
        {"fstp1", "fstpnce"},     {"fnsetpm", "fsetpm287_nop"},
        {"feni", "feni8087_nop"}, {"fdisi", "fdisi8087_nop"},
    };
    static const struct {
        const char *ours, *theirs;
    } conditions[] = {{"e", "z"},   {"ne", "nz"}, {"ae", "nb"},
                      {"a", "nbe"}, {"ge", "nl"}, {"g", "nle"}};
    static const char *const stems[] = {"j", "set", "cmov"};
    char name[32];
    if (strcmp(ours, theirs) == 0)
        return true;
    for (const char *suffix = "bwdq"; *suffix; suffix++) {
        snprintf(name, sizeof name, "%s%c", ours, *suffix);
        if (strcmp(name, theirs) == 0)
            return true;
    }
    for (size_t i = 0; i < ARRAY_SIZE(aliases); i++) {
        if (strcmp(aliases[i].ours, ours) == 0 && strcmp(aliases[i].theirs, theirs) == 0)
            return true;
    }
    for (size_t i = 0; i < ARRAY_SIZE(stems) * ARRAY_SIZE(conditions); i++) {
        const char *stem = stems[i / ARRAY_SIZE(conditions)];
        size_t length = strlen(stem);
        if (strncmp(ours, stem, length) == 0 && strncmp(theirs, stem, length) == 0 &&
            strcmp(ours + length, conditions[i % ARRAY_SIZE(conditions)].ours) == 0 &&
            strcmp(theirs + length, conditions[i % ARRAY_SIZE(conditions)].theirs) == 0)
            return true;
    }
    size_t length = strlen(ours); // fcom2, fxch4 ...: undocumented aliases are numbered
    return length > 1 && ours[0] == 'f' && ours[length - 1] >= '0' && ours[length - 1] <= '9' &&
           strncmp(ours, theirs, length - 1) == 0 && theirs[length - 1] == 0;
}

// Where the two are meant to differ.
static bool is_known_difference(const struct insn *insn, const ZydisDecodedInstruction *z)
{
    const struct opcode_row *row = &opcode_rows[insn->row];
    if (z != NULL && (z->mnemonic == ZYDIS_MNEMONIC_UD0 || z->mnemonic == ZYDIS_MNEMONIC_UD1))
        return insn->row == OPCODE_INVALID; // undefined on purpose: the same to the guest
    for (unsigned n = 0; n < 3; n++) {
        // Absent control and segment registers: the handler raises #UD.
        if (row->operand[n] == OPND_Cd || row->operand[n] == OPND_Dd || row->operand[n] == OPND_Sw)
            return z == NULL;
    }
    return false;
}

static void make_bytes(uint64_t *random, uint8_t *bytes)
{
    static const uint8_t prefixes[] = {0x66, 0x67, 0xf2, 0xf3, 0x2e, 0x36,
                                       0x3e, 0x26, 0x64, 0x65, 0xf0, 0x66};
    size_t n = 0;
    uint64_t r = next_random(random);
    for (unsigned count = (unsigned)(r & 3); count > 1 && n < 3; count--)
        bytes[n++] = prefixes[next_random(random) % ARRAY_SIZE(prefixes)];
    if (r & 0x100)
        bytes[n++] = 0x0f;
    for (; n < 32; n++)
        bytes[n] = (uint8_t)(next_random(random) >> 20);
}

struct compare_counts {
    unsigned long both, only_zydis, only_emu, neither;
};

static void compare_one(const ZydisDecoder *decoder, const struct decode_mode *mode,
                        const uint8_t *bytes, struct compare_counts *counts, unsigned *complaints)
{
    ZydisDecodedInstruction z;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    struct insn insn;
    bool zydis_ok = ZYAN_SUCCESS(ZydisDecoderDecodeFull(decoder, bytes, 15, &z, operands));
    enum decode_status status = insn_decode(mode, bytes, 32, &insn);
    bool ok = status == DECODE_OK && insn.row != OPCODE_INVALID;
    const char *what = NULL;
    if (ok && zydis_ok) {
        counts->both++;
        if (z.length != insn.length)
            what = "length";
        else if (!is_same_name(opcode_rows[insn.row].mnemonic, ZydisMnemonicGetString(z.mnemonic)))
            what = "name";
        else
            what = insn.row == OPCODE_LEA ? NULL : check_memory(&insn, &z, operands);
        if (what == NULL)
            what = check_immediate(&insn, &z);
    } else if (zydis_ok && is_pentium4(&z)) {
        counts->only_zydis++;
        what = "accepted by Zydis only";
    } else if (ok && !zydis_ok) {
        counts->only_emu++;
        what = "accepted by emu only";
    } else {
        counts->neither++;
    }
    if (what == NULL || is_known_difference(&insn, zydis_ok ? &z : NULL))
        return;
    if ((*complaints)++ < 400) {
        print_error("%s: code%u %s/%s:", what, mode->code32 ? 32u : 16u,
                    ok ? opcode_rows[insn.row].mnemonic : "-",
                    zydis_ok ? ZydisMnemonicGetString(z.mnemonic) : "-");
        for (unsigned n = 0; n < 10; n++)
            print_error(" %02x", bytes[n]);
        print_error("\n");
    }
}

static void compare_with_zydis(const struct decode_mode *mode, ZydisMachineMode machine,
                               ZydisStackWidth width)
{
    ZydisDecoder decoder;
    assert_true(ZYAN_SUCCESS(ZydisDecoderInit(&decoder, machine, width)));
    static const ZydisDecoderMode later[] = {
        ZYDIS_DECODER_MODE_MPX,   ZYDIS_DECODER_MODE_CET,      ZYDIS_DECODER_MODE_LZCNT,
        ZYDIS_DECODER_MODE_TZCNT, ZYDIS_DECODER_MODE_CLDEMOTE, ZYDIS_DECODER_MODE_WBNOINVD,
    };
    for (size_t i = 0; i < ARRAY_SIZE(later); i++)
        assert_true(ZYAN_SUCCESS(ZydisDecoderEnableMode(&decoder, later[i], ZYAN_FALSE)));
    struct compare_counts counts = {0};
    unsigned complaints = 0;
    uint64_t random = 0x9e3779b97f4a7c15;
    uint8_t bytes[32];
    for (unsigned i = 0; i < 2000000; i++) {
        make_bytes(&random, bytes);
        compare_one(&decoder, mode, bytes, &counts, &complaints);
    }
    print_message("both %lu, neither %lu, only Zydis %lu, only emu %lu\n", counts.both,
                  counts.neither, counts.only_zydis, counts.only_emu);
    assert_true(counts.both > 1000000);
    assert_int_equal(complaints, 0);
}

static void test_zydis32(void **state)
{
    compare_with_zydis(&mode32, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
}

static void test_zydis16(void **state)
{
    compare_with_zydis(&mode16, ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addressing32),   cmocka_unit_test(test_addressing16),
        cmocka_unit_test(test_immediates),     cmocka_unit_test(test_lock),
        cmocka_unit_test(test_features),       cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_rows_reachable), cmocka_unit_test(test_zydis32),
        cmocka_unit_test(test_zydis16),        cmocka_unit_test(test_prefixes_are_truncated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
