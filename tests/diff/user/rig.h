// SPDX-License-Identifier: MIT
// The parts of the rig: encodings of each opcode row in each form, states to run them from, the
// emulated machine that runs them, and the comparison with what the host's CPU left.
#ifndef EMU_TESTS_DIFF_USER_RIG_H
#define EMU_TESTS_DIFF_USER_RIG_H

#include "cpu/decode.h"
#include "cpu/cpu.h"
#include "layout.h"

struct rng {
    uint64_t state;
};

struct rng rng_seed(uint64_t a, uint64_t b);
uint64_t rng_next(struct rng *rng);
static inline uint32_t rng_below(struct rng *rng, uint32_t n)
{
    return (uint32_t)((rng_next(rng) >> 32) * n >> 32);
}
static inline bool rng_one_in(struct rng *rng, uint32_t n)
{
    return rng_below(rng, n) == 0;
}

// How the operand is addressed.
enum address_form {
    ADDRESS_NONE,   // no ModRM byte
    ADDRESS_NONE_A, // ... with prefix 67
    ADDRESS_REGISTER,
    ADDRESS_BASE,
    ADDRESS_BASE_8,
    ADDRESS_BASE_32,
    ADDRESS_DISP_32,
    ADDRESS_SIB,
    ADDRESS_SIB_8,
    ADDRESS_SIB_32,
    ADDRESS_SIB_NO_INDEX,
    ADDRESS_SIB_NO_BASE,
    ADDRESS_16,
    ADDRESS_16_8,
    ADDRESS_16_16,
    ADDRESS_DISP_16,
    ADDRESS_COUNT,
};

// What else a form shows; these choose the address form at random.
enum special_form {
    SPECIAL_NONE,
    SPECIAL_LOCK,
    SPECIAL_REP,
    SPECIAL_REPNE,
    SPECIAL_ES,
    SPECIAL_CS,
    SPECIAL_SS,
    SPECIAL_DS,
    SPECIAL_FS,
    SPECIAL_GS,
    SPECIAL_ORDER, // prefixes repeated and in any order
    SPECIAL_LONG,  // 14 to 16 bytes
    SPECIAL_EDGE,  // the instruction reaches the page that is not mapped
    SPECIAL_COUNT,
};

// A number below FORM_COUNT: special none: address * 2 + (66 given); else as below.
#define FORM_FIRST_SPECIAL (ADDRESS_COUNT * 2)
#define FORM_COUNT         (FORM_FIRST_SPECIAL + SPECIAL_COUNT)

const char *form_name(unsigned form);
// Whether the row has this form; otherwise nothing is generated for it.
bool form_exists(unsigned row, unsigned form);

// Why a row is not run on the host at all; NULL: it is.
const char *row_excluded(unsigned row);
const char *row_name(unsigned row);
uint32_t row_key(unsigned row); // of its name: it survives new rows

struct encoding {
    struct user_code code;
    struct insn insn;
    unsigned row, form;
    uint16_t ds, es; // of all its cases
};

// False: no such encoding was found.
bool encoding_make(struct rng *rng, unsigned row, unsigned form, struct encoding *encoding);
bool operand_is(const struct opcode_row *row, unsigned operand);
// An address to jump to: mostly one with INT3, and never inside the encoding itself.
uint32_t code_target(struct rng *rng, uint32_t eip);
uint16_t pick_selector(struct rng *rng, bool code);
uint32_t pick_value(struct rng *rng);
// An offset in the arena near which something of `size` bytes is interesting.
uint32_t pick_place(struct rng *rng, uint32_t size, bool low);
uint32_t selector_base(uint16_t selector);

// States.
struct case_info {
    uint32_t operand; // offset of the memory operand in the arena, or USER_NOWHERE
};
#define USER_NOWHERE UINT32_MAX
void state_make(struct rng *rng, const struct encoding *encoding, struct user_input *in,
                struct case_info *info);
void state_make_fpu(struct rng *rng, const struct encoding *encoding, uint8_t *image);
void state_make_pristine(uint8_t pristine[3][USER_PAGE]);
void random_float80(struct rng *rng, uint8_t *bytes);
void random_operand(struct rng *rng, uint8_t *bytes, unsigned size);

// The emulated machine.
struct machine;
enum machine_kind { MACHINE_INTERP, MACHINE_JIT, MACHINE_WINDOW /* jit, by the window */ };
struct machine *machine_create(enum machine_kind kind, const uint8_t pristine[3][USER_PAGE]);
void machine_destroy(struct machine *machine);
void machine_put_code(struct machine *machine, const struct user_code *code);
// Returns whether translated code executed all of it.
bool machine_run(struct machine *machine, const struct user_code *code, const struct user_input *in,
                 struct user_output *out);

// Comparison. What the manual leaves open is made equal in place.
void outcome_mask(const struct encoding *encoding, const struct user_input *in,
                  const struct case_info *info, struct user_output *out);
// After a fault of the instruction: the flags that it would have written without reading them.
void outcome_clear_dead_flags(const struct encoding *encoding, struct user_output *out);
bool outcome_equal(const struct encoding *encoding, const struct user_output *a,
                   const struct user_output *b);
uint64_t outcome_hash(const struct encoding *encoding, const struct user_output *out);
// Results that processors compute each in their own way: not kept in the vectors.
bool row_depends_on_host(unsigned row);
// One line: row, form, and the fields that differ with both values, for the expressions of
// explained.tsv.
void outcome_signature(const struct encoding *encoding, const char *executor,
                       const struct user_output *host, const struct user_output *emu, char *text,
                       size_t size);
void outcome_print(const struct encoding *encoding, const struct user_input *in,
                   const char *executor, const struct user_output *host,
                   const struct user_output *emu);

struct explained;
struct explained *explained_load(const char *path);
bool explained_match(struct explained *explained, const char *signature);
void explained_print(const struct explained *explained);
void explained_free(struct explained *explained);

#endif
