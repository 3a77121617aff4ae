// SPDX-License-Identifier: MIT
// x87 control instructions, environment and state images, WAIT (SDM vol. 1, sections 8.1.10 to
// 8.3.13; vol. 2). FENI, FDISI and FSETPM of the 8087 and 80287 do nothing.
#include "cpu/fpu_exec.h"

void x87_fwait(struct cpu *cpu, const struct insn *insn)
{
    if (UNLIKELY((cpu->cr0 & (CR0_MP | CR0_TS)) == (CR0_MP | CR0_TS)))
        fpu_raise_unavailable(cpu);
    if (UNLIKELY(cpu->fpu.status & FPU_ES))
        fpu_raise_pending(cpu);
}

void x87_fnop(struct cpu *cpu, const struct insn *insn)
{
    fpu_begin(cpu);
    fpu_note(cpu, insn);
}

void x87_ignored(struct cpu *cpu, const struct insn *insn)
{
    fpu_begin_no_wait(cpu);
}

void x87_fnclex(struct cpu *cpu, const struct insn *insn)
{
    fpu_begin_no_wait(cpu);
    cpu->fpu.status &= FPU_CONDITIONS | FPU_TOP;
    fpu_lower_ferr(cpu);
}

void x87_fninit(struct cpu *cpu, const struct insn *insn)
{
    fpu_begin_no_wait(cpu);
    fpu_init(&cpu->fpu);
    fpu_lower_ferr(cpu);
}

void x87_fldcw(struct cpu *cpu, const struct insn *insn)
{
    fpu_begin(cpu);
    fpu_set_control(&cpu->fpu, (uint16_t)mem_read(cpu, insn->segment, insn_address(cpu, insn), 2));
    fpu_lower_ferr(cpu);
}

void x87_fnstcw(struct cpu *cpu, const struct insn *insn)
{
    fpu_begin_no_wait(cpu);
    mem_write(cpu, insn->segment, insn_address(cpu, insn), cpu->fpu.control, 2);
}

void x87_fnstsw_m16(struct cpu *cpu, const struct insn *insn)
{
    fpu_begin_no_wait(cpu);
    mem_write(cpu, insn->segment, insn_address(cpu, insn), cpu->fpu.status, 2);
}

void x87_fnstsw_ax(struct cpu *cpu, const struct insn *insn)
{
    fpu_begin_no_wait(cpu);
    cpu->regs[REG_EAX] = (cpu->regs[REG_EAX] & 0xffff0000u) | cpu->fpu.status;
}

static void step_stack(struct cpu *cpu, const struct insn *insn, unsigned delta)
{
    fpu_begin(cpu);
    fpu_rotate(&cpu->fpu, delta);
    cpu->fpu.status &= (uint16_t)~FPU_C1;
    fpu_note(cpu, insn);
}

void x87_fincstp(struct cpu *cpu, const struct insn *insn)
{
    step_stack(cpu, insn, 1);
}

void x87_fdecstp(struct cpu *cpu, const struct insn *insn)
{
    step_stack(cpu, insn, 7);
}

// FFREE and FFREEP. What becomes of C1 differs between processors: when it is set, the host
// decides.
static void free_register(struct cpu *cpu, const struct insn *insn, unsigned escape)
{
    struct fpu_state *state = &cpu->fpu;
    fpu_begin(cpu);
    if (state->status & FPU_C1) {
        fpu_exact_register(cpu, insn, escape, insn->modrm);
    } else {
        state->tags &= (uint8_t)~fpu_tag_bit(state, insn->rm);
        if (escape == 0xdf)
            fpu_pop(state);
    }
    fpu_note(cpu, insn);
}

void x87_ffree(struct cpu *cpu, const struct insn *insn)
{
    free_register(cpu, insn, 0xdd);
}

void x87_ffreep(struct cpu *cpu, const struct insn *insn)
{
    free_register(cpu, insn, 0xdf);
}

// The environment: 14 or 28 bytes by operand size; real and virtual-8086 mode keep linear pointers
// and the opcode in it.
#define ENVIRONMENT_MAX 28u
#define STATE_MAX       (ENVIRONMENT_MAX + 80u)

static unsigned environment_size(const struct insn *insn)
{
    return insn->operand_size == 4 ? 28 : 14;
}

static bool has_linear_pointers(const struct cpu *cpu)
{
    return !cpu_is_protected(cpu) || cpu_is_v86(cpu);
}

static void put_environment(const struct cpu *cpu, const struct insn *insn, uint8_t *image)
{
    const struct fpu_state *state = &cpu->fpu;
    uint32_t words[7] = {state->control, state->status, fpu_tag_word(state)};
    uint32_t ip = state->ip_selector * 16 + state->ip;
    uint32_t dp = state->dp_selector * 16 + state->dp;
    if (insn->operand_size == 4) {
        for (unsigned i = 0; i < 3; i++)
            words[i] |= 0xffff0000u;
        if (has_linear_pointers(cpu)) {
            words[3] = 0xffff0000u | (ip & 0xffff);
            words[4] = (ip >> 16 & 0xffff) << 12 | state->opcode;
            words[5] = 0xffff0000u | (dp & 0xffff);
            words[6] = (dp >> 16 & 0xffff) << 12;
        } else {
            words[3] = state->ip;
            words[4] = (uint32_t)state->opcode << 16 | (state->ip_selector & 0xffff);
            words[5] = state->dp;
            words[6] = 0xffff0000u | state->dp_selector;
        }
    } else if (has_linear_pointers(cpu)) {
        words[3] = ip;
        words[4] = (ip >> 16 & 0xf) << 12 | state->opcode;
        words[5] = dp;
        words[6] = (dp >> 16 & 0xf) << 12;
    } else {
        words[3] = state->ip;
        words[4] = state->ip_selector;
        words[5] = state->dp;
        words[6] = state->dp_selector;
    }
    for (unsigned i = 0; i < 7; i++) {
        if (insn->operand_size == 4)
            store_le32(image + 4 * i, words[i]);
        else
            store_le16(image + 2 * i, (uint16_t)words[i]);
    }
}

static void get_pointers(struct cpu *cpu, const struct insn *insn, const uint32_t *words)
{
    struct fpu_state *state = &cpu->fpu;
    bool wide = insn->operand_size == 4;
    if (has_linear_pointers(cpu)) {
        uint32_t mask = wide ? 0xffff : 0xf;
        state->ip = (words[3] & 0xffff) | (words[4] >> 12 & mask) << 16;
        state->dp = (words[5] & 0xffff) | (words[6] >> 12 & mask) << 16;
        state->ip_selector = state->dp_selector = 0;
        state->opcode = words[4] & FPU_OPCODE_MASK;
    } else {
        state->ip = words[3];
        state->ip_selector = words[4] & 0xffff;
        state->dp = words[5];
        state->dp_selector = words[6] & 0xffff;
        state->opcode = wide ? words[4] >> 16 & FPU_OPCODE_MASK : 0;
    }
}

static void get_environment(struct cpu *cpu, const struct insn *insn, const uint8_t *image)
{
    uint32_t words[7];
    for (unsigned i = 0; i < 7; i++)
        words[i] = insn->operand_size == 4 ? load_le32(image + 4 * i) : load_le16(image + 2 * i);
    cpu->fpu.control = (words[0] & FPU_CONTROL_DEFINED) | 0x0040;
    fpu_set_status(&cpu->fpu, (uint16_t)words[1]);
    cpu->fpu.tags = fpu_abridge_tags((uint16_t)words[2]);
    get_pointers(cpu, insn, words);
}

void x87_fnstenv(struct cpu *cpu, const struct insn *insn)
{
    uint8_t image[ENVIRONMENT_MAX];
    fpu_begin_no_wait(cpu);
    put_environment(cpu, insn, image);
    fpu_write_block(cpu, insn, image, environment_size(insn), insn->operand_size);
    cpu->fpu.control |= FPU_EXCEPTIONS;
    fpu_update_summary(&cpu->fpu);
    fpu_lower_ferr(cpu);
}

void x87_fldenv(struct cpu *cpu, const struct insn *insn)
{
    uint8_t image[ENVIRONMENT_MAX];
    fpu_begin(cpu);
    fpu_read_block(cpu, insn, image, environment_size(insn), insn->operand_size);
    get_environment(cpu, insn, image);
    fpu_lower_ferr(cpu);
}

void x87_fnsave(struct cpu *cpu, const struct insn *insn)
{
    uint8_t image[STATE_MAX];
    unsigned size = environment_size(insn);
    fpu_begin_no_wait(cpu);
    put_environment(cpu, insn, image);
    for (unsigned i = 0; i < 8; i++)
        memcpy(image + size + 10 * i, cpu->fpu.st[i].bytes, 10);
    fpu_write_block(cpu, insn, image, size + 80, insn->operand_size);
    fpu_init(&cpu->fpu);
    fpu_lower_ferr(cpu);
}

void x87_frstor(struct cpu *cpu, const struct insn *insn)
{
    uint8_t image[STATE_MAX];
    unsigned size = environment_size(insn);
    fpu_begin(cpu);
    fpu_read_block(cpu, insn, image, size + 80, insn->operand_size);
    get_environment(cpu, insn, image);
    for (unsigned i = 0; i < 8; i++)
        memcpy(cpu->fpu.st[i].bytes, image + size + 10 * i, 10);
    fpu_lower_ferr(cpu);
}
