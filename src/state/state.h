// SPDX-License-Identifier: MIT
// Snapshot field tables: a chip lists its architectural fields once; saving, loading and hashing
// follow the table. Format of a section: name, version, then the fields little-endian in table
// order.
#ifndef EMU_STATE_STATE_H
#define EMU_STATE_STATE_H

#include "base/error.h"

enum state_type {
    STATE_U8,
    STATE_U16,
    STATE_U32,
    STATE_U64,
    STATE_BOOL,
    STATE_BYTES,  // size bytes as they are
    STATE_TIMER,  // struct timer *: its deadline
    STATE_FIFO,   // struct fifo
    STATE_STRUCT, // nested table, `count` elements of `size` bytes
    STATE_END
};

struct state_field {
    const char *name;
    enum state_type type;
    uint32_t offset;
    uint32_t count;                   // array elements (1 for a scalar); bytes for STATE_BYTES
    uint32_t size;                    // element size for STATE_STRUCT
    const struct state_field *fields; // for STATE_STRUCT
};

#define STATE_FIELD_N(type_, struct_, member_, n_)                                                 \
    {                                                                                              \
        .name = #member_, .type = type_, .offset = offsetof(struct_, member_), .count = n_         \
    }
#define STATE_FIELD(type_, struct_, member_) STATE_FIELD_N(type_, struct_, member_, 1)
#define STATE_ARRAY(type_, struct_, member_)                                                       \
    STATE_FIELD_N(type_, struct_, member_, ARRAY_SIZE(((struct_ *)0)->member_))
#define STATE_BYTES_OF(struct_, member_)                                                           \
    {                                                                                              \
        .name = #member_, .type = STATE_BYTES, .offset = offsetof(struct_, member_),               \
        .count = sizeof(((struct_ *)0)->member_)                                                   \
    }
#define STATE_STRUCTS(struct_, member_, n_, size_, table_)                                         \
    {                                                                                              \
        .name = #member_, .type = STATE_STRUCT, .offset = offsetof(struct_, member_), .count = n_, \
        .size = size_, .fields = table_                                                            \
    }
#define STATE_FIELDS_END                                                                           \
    {                                                                                              \
        .type = STATE_END                                                                          \
    }

// What a chip hands to the machine so that it can be saved. `after_load` recomputes what is derived
// (may be NULL).
struct state_section {
    const char *name; // "i8259", unique within a machine
    uint32_t version;
    const struct state_field *fields;
    void *object;
    bool (*after_load)(void *object, struct error *err);
};

struct state_registry;

struct state_registry *state_registry_create(void);
void state_registry_destroy(struct state_registry *registry);
void state_register(struct state_registry *registry, const struct state_section *section); // copied
void state_unregister(struct state_registry *registry, const void *object);

// A growing output buffer; state_writer_take hands it to the caller (free()).
struct state_writer;
struct state_writer *state_writer_create(void);
void state_writer_destroy(struct state_writer *writer);
void state_write_bytes(struct state_writer *writer, const void *data, size_t length);
void *state_writer_take(struct state_writer *writer, size_t *length);

void state_save(const struct state_registry *registry, struct state_writer *writer);
bool state_load(struct state_registry *registry, const void *data, size_t length,
                struct error *err);
uint64_t state_hash(const struct state_registry *registry); // XXH64 over what state_save writes

#endif
