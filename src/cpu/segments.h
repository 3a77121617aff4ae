// SPDX-License-Identifier: MIT
// Descriptors, segment registers and stacks. Intel SDM vol. 3, chapters 3 and 5.
#ifndef EMU_CPU_SEGMENTS_H
#define EMU_CPU_SEGMENTS_H

#include "cpu/mem.h"

// Types of system descriptors (S = 0).
enum descriptor_type {
    DESC_TSS16 = 1,
    DESC_LDT = 2,
    DESC_TSS16_BUSY = 3,
    DESC_CALL_GATE16 = 4,
    DESC_TASK_GATE = 5,
    DESC_INT_GATE16 = 6,
    DESC_TRAP_GATE16 = 7,
    DESC_TSS32 = 9,
    DESC_TSS32_BUSY = 11,
    DESC_CALL_GATE32 = 12,
    DESC_INT_GATE32 = 14,
    DESC_TRAP_GATE32 = 15,
};

// Type bits of code and data descriptors (S = 1), in place in the high dword.
#define DESC_ACCESSED    0x00000100u
#define DESC_READ_WRITE  0x00000200u // data: writable; code: readable
#define DESC_EXPAND_DOWN 0x00000400u // data
#define DESC_CONFORMING  0x00000400u // code
#define DESC_CODE        0x00000800u
#define DESC_TSS_BUSY    0x00000200u

struct descriptor {
    uint32_t low, high;
    uint32_t address; // linear address of its first byte
};

static inline unsigned descriptor_type(const struct descriptor *desc)
{
    return desc->high >> 8 & 15;
}

static inline unsigned descriptor_dpl(const struct descriptor *desc)
{
    return desc->high >> 13 & 3;
}

static inline bool descriptor_is_present(const struct descriptor *desc)
{
    return (desc->high & DESC_P) != 0;
}

static inline bool descriptor_is_code(const struct descriptor *desc)
{
    return (desc->high & (DESC_S | DESC_CODE)) == (DESC_S | DESC_CODE);
}

static inline bool descriptor_is_conforming_code(const struct descriptor *desc)
{
    return descriptor_is_code(desc) && (desc->high & DESC_CONFORMING);
}

static inline bool descriptor_is_writable_data(const struct descriptor *desc)
{
    return (desc->high & (DESC_S | DESC_CODE | DESC_READ_WRITE)) == (DESC_S | DESC_READ_WRITE);
}

// Data, or code that can be read.
static inline bool descriptor_is_readable(const struct descriptor *desc)
{
    return (desc->high & DESC_S) && (desc->high & (DESC_CODE | DESC_READ_WRITE)) != DESC_CODE;
}

static inline bool selector_is_null(uint16_t selector)
{
    return (selector & 0xfffcu) == 0;
}

uint32_t descriptor_base(const struct descriptor *desc);
uint32_t descriptor_limit(const struct descriptor *desc); // scaled by G

// Reads the descriptor of a selector from the GDT or LDT; false when it lies outside its table.
bool descriptor_fetch(struct cpu *cpu, uint16_t selector, struct descriptor *desc);

// The same, raising vector(selector without RPL) when it lies outside.
void descriptor_require(struct cpu *cpu, uint16_t selector, enum exception_vector vector,
                        struct descriptor *desc);

void descriptor_set_accessed(struct cpu *cpu, struct descriptor *desc);
void descriptor_set_busy(struct cpu *cpu, struct descriptor *desc, bool busy);

// Raises with an error code made of a selector (its RPL replaced by EXT).
_Noreturn void segment_fault(struct cpu *cpu, enum exception_vector vector, uint16_t selector);

// The hidden part of a segment register from a descriptor. Rights are not computed.
void segment_from_descriptor(struct segment *segment, uint16_t selector,
                             const struct descriptor *desc);
// Real-address and virtual-8086 mode: base = selector * 16.
void segment_set_real(struct cpu *cpu, enum segment_index index, uint16_t selector, bool v86);
void segment_set_null(struct cpu *cpu, enum segment_index index, uint16_t selector);

// MOV Sreg, POP Sreg, LDS...: everything but CS, in the current mode.
void segment_load(struct cpu *cpu, enum segment_index index, uint16_t selector);

// Loads CS with RPL = cpl, sets CPL and EIP. The descriptor is checked.
void segment_load_code(struct cpu *cpu, uint16_t selector, struct descriptor *desc, unsigned cpl,
                       uint32_t eip);

// Checks a stack segment for privilege level cpl and returns its hidden part; errors are raised as
// `vector` (not present: #SS). Its accessed bit is set by segment_mark_stack, when nothing can fail
// any more.
struct segment segment_check_stack(struct cpu *cpu, uint16_t selector, unsigned cpl,
                                   enum exception_vector vector);
void segment_mark_stack(struct cpu *cpu, const struct segment *segment);

// Rights of all segment registers and the mode bits: part of cpu_update_mode.
void segment_update_all(struct cpu *cpu);

// After a return to an outer level: data segments the new level may not see become null.
void segment_drop_inner(struct cpu *cpu);

// #GP(0) when eip is beyond a code segment's limit.
void segment_check_eip(struct cpu *cpu, uint32_t limit, uint32_t eip);

// A stack being pushed to or popped from: the registers change only when it is committed, so that a
// fault half-way leaves nothing done.
struct stack_frame {
    struct cpu *cpu;
    struct segment segment;
    uint32_t esp, mask;
    bool user;
    uint16_t fault_selector; // of #SS when the limit is exceeded
};

void frame_open(struct cpu *cpu, struct stack_frame *stack); // the current one
void frame_open_new(struct cpu *cpu, struct stack_frame *stack, const struct segment *segment,
                    uint32_t esp, bool user);
// #GP(0) for a target beyond its segment, unless the stack has no room for the count values that go
// there first: #SS.
void frame_check_eip(struct stack_frame *stack, unsigned count, unsigned size, uint32_t limit,
                     uint32_t eip);
void frame_push(struct stack_frame *stack, uint32_t value, unsigned size);
uint32_t frame_pop(struct stack_frame *stack, unsigned size);
void frame_skip(struct stack_frame *stack, uint32_t bytes);
void frame_commit_esp(struct stack_frame *stack); // ESP, or SP of a 16-bit stack
// ESP and SS; when the privilege level changes it must be set already.
void frame_commit(struct stack_frame *stack);

#endif
