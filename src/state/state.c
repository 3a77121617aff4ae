// SPDX-License-Identifier: MIT
// Snapshot sections driven by field tables. A section on the wire:
//   u8 name length, name, u32 version, u32 payload length, payload
// and the payload is the fields in table order, little-endian, without padding or tags. A fifo is
// its limit, its count and the bytes held, oldest first; a timer its absolute deadline. What is
// loaded is untrusted: the whole input is checked before the first object changes.
#include "state/state.h"

#include <assert.h>
#include <stdlib.h>
#include <xxhash.h>

#include "base/clock.h"
#include "base/fifo.h"

struct state_registry {
    struct state_section *sections;
    size_t count;
    size_t capacity;
};

struct state_writer {
    uint8_t *data;
    size_t length;
    size_t capacity;
};

struct state_registry *state_registry_create(void)
{
    return xcalloc(1, sizeof(struct state_registry));
}

void state_registry_destroy(struct state_registry *registry)
{
    if (!registry)
        return;
    free(registry->sections);
    free(registry);
}

static struct state_section *registry_find(const struct state_registry *registry, const char *name,
                                           size_t length)
{
    for (size_t i = 0; i < registry->count; i++) {
        struct state_section *section = &registry->sections[i];
        if (strlen(section->name) == length && memcmp(section->name, name, length) == 0)
            return section;
    }
    return NULL;
}

void state_register(struct state_registry *registry, const struct state_section *section)
{
    size_t length = strlen(section->name);
    assert(length > 0 && length <= UINT8_MAX);
    assert(!registry_find(registry, section->name, length));
    (void)length; // without assertions
    if (registry->count == registry->capacity) {
        registry->capacity = registry->capacity ? registry->capacity * 2 : 16;
        registry->sections =
            xrealloc(registry->sections, registry->capacity * sizeof registry->sections[0]);
    }
    registry->sections[registry->count++] = *section;
}

void state_unregister(struct state_registry *registry, const void *object)
{
    size_t kept = 0;
    for (size_t i = 0; i < registry->count; i++) {
        if (registry->sections[i].object != object)
            registry->sections[kept++] = registry->sections[i];
    }
    registry->count = kept;
}

struct state_writer *state_writer_create(void)
{
    return xcalloc(1, sizeof(struct state_writer));
}

void state_writer_destroy(struct state_writer *writer)
{
    if (!writer)
        return;
    free(writer->data);
    free(writer);
}

void state_write_bytes(struct state_writer *writer, const void *data, size_t length)
{
    if (length > writer->capacity - writer->length) {
        size_t capacity = writer->capacity ? writer->capacity : 4096;
        while (capacity - writer->length < length)
            capacity *= 2;
        writer->data = xrealloc(writer->data, capacity);
        writer->capacity = capacity;
    }
    if (length)
        memcpy(writer->data + writer->length, data, length);
    writer->length += length;
}

void *state_writer_take(struct state_writer *writer, size_t *length)
{
    void *data = writer->data ? writer->data : xcalloc(1, 1);
    *length = writer->length;
    writer->data = NULL;
    writer->length = 0;
    writer->capacity = 0;
    return data;
}

static void write_u32(struct state_writer *writer, uint32_t value)
{
    state_write_bytes(writer, &value, sizeof value);
}

// Bytes of one element both in memory and on the wire; 0 for the types that have a form of their
// own.
static size_t plain_size(enum state_type type)
{
    switch (type) {
    case STATE_U8:
    case STATE_BYTES:
        return 1;
    case STATE_U16:
        return 2;
    case STATE_U32:
        return 4;
    case STATE_U64:
        return 8;
    default:
        return 0;
    }
}

static void save_fifo(const struct fifo *fifo, struct state_writer *writer)
{
    write_u32(writer, fifo->limit);
    write_u32(writer, fifo->count);
    for (uint32_t i = 0; i < fifo->count; i++)
        state_write_bytes(writer, &fifo->data[(fifo->head + i) % FIFO_CAPACITY], 1);
}

static void save_timer(const struct timer *timer, struct state_writer *writer)
{
    int64_t deadline = timer ? timer_deadline(timer) : CLOCK_NEVER;
    state_write_bytes(writer, &deadline, sizeof deadline);
}

static void save_fields(const struct state_field *field, const void *object,
                        struct state_writer *writer)
{
    for (; field->type != STATE_END; field++) {
        const uint8_t *p = (const uint8_t *)object + field->offset;
        size_t size = plain_size(field->type);
        if (size) {
            state_write_bytes(writer, p, size * field->count);
            continue;
        }
        for (uint32_t i = 0; i < field->count; i++) {
            if (field->type == STATE_BOOL) {
                uint8_t byte = ((const bool *)p)[i] ? 1 : 0;
                state_write_bytes(writer, &byte, 1);
            } else if (field->type == STATE_TIMER) {
                save_timer(((struct timer *const *)p)[i], writer);
            } else if (field->type == STATE_FIFO) {
                save_fifo((const struct fifo *)p + i, writer);
            } else {
                save_fields(field->fields, p + (size_t)i * field->size, writer);
            }
        }
    }
}

static void save_section(const struct state_section *section, struct state_writer *writer)
{
    uint8_t name_length = (uint8_t)strlen(section->name);
    state_write_bytes(writer, &name_length, 1);
    state_write_bytes(writer, section->name, name_length);
    write_u32(writer, section->version);
    size_t length_at = writer->length;
    write_u32(writer, 0);
    save_fields(section->fields, section->object, writer);
    store_le32(writer->data + length_at, (uint32_t)(writer->length - length_at - 4));
}

void state_save(const struct state_registry *registry, struct state_writer *writer)
{
    for (size_t i = 0; i < registry->count; i++)
        save_section(&registry->sections[i], writer);
}

uint64_t state_hash(const struct state_registry *registry)
{
    struct state_writer *writer = state_writer_create();
    state_save(registry, writer);
    uint64_t hash = XXH64(writer->data ? (const void *)writer->data : "", writer->length, 0);
    state_writer_destroy(writer);
    return hash;
}

// A cursor over untrusted bytes. With `apply` false nothing but the cursor changes.
struct reader {
    const uint8_t *data;
    size_t left;
    const char *section;
    bool apply;
    struct error *err;
};

static const uint8_t *reader_take(struct reader *r, size_t length, const char *what)
{
    if (length > r->left) {
        error_set(r->err, "the snapshot is cut off in section '%s' at '%s'", r->section, what);
        return NULL;
    }
    const uint8_t *p = r->data;
    r->data += length;
    r->left -= length;
    return p;
}

static bool load_bool(struct reader *r, const char *name, bool *value)
{
    const uint8_t *p = reader_take(r, 1, name);
    if (!p)
        return false;
    if (*p > 1)
        return error_set(r->err, "the snapshot is damaged: '%s' of section '%s' is %u, not 0 or 1",
                         name, r->section, *p);
    if (r->apply)
        *value = *p;
    return true;
}

static bool load_timer(struct reader *r, const char *name, struct timer *timer)
{
    const uint8_t *p = reader_take(r, 8, name);
    if (!p)
        return false;
    int64_t deadline = (int64_t)load_le64(p);
    if (!timer && deadline != CLOCK_NEVER)
        return error_set(r->err,
                         "the snapshot arms timer '%s' of section '%s', which this machine "
                         "does not have",
                         name, r->section);
    if (timer && r->apply)
        timer_arm(timer, deadline); // CLOCK_NEVER cancels
    return true;
}

static bool load_fifo(struct reader *r, const char *name, struct fifo *fifo)
{
    const uint8_t *p = reader_take(r, 8, name);
    if (!p)
        return false;
    uint32_t limit = load_le32(p);
    uint32_t count = load_le32(p + 4);
    if (limit > FIFO_CAPACITY || count > limit)
        return error_set(r->err,
                         "the snapshot is damaged: queue '%s' of section '%s' holds %u of %u "
                         "bytes",
                         name, r->section, count, limit);
    const uint8_t *bytes = reader_take(r, count, name);
    if (!bytes)
        return false;
    if (r->apply) {
        fifo_init(fifo, limit);
        memcpy(fifo->data, bytes, count);
        fifo->count = count;
    }
    return true;
}

static bool load_fields(struct reader *r, const struct state_field *fields, void *object);

static bool load_element(struct reader *r, const struct state_field *field, uint8_t *p, uint32_t i)
{
    switch (field->type) {
    case STATE_BOOL:
        return load_bool(r, field->name, (bool *)p + i);
    case STATE_TIMER:
        return load_timer(r, field->name, ((struct timer **)p)[i]);
    case STATE_FIFO:
        return load_fifo(r, field->name, (struct fifo *)p + i);
    default:
        return load_fields(r, field->fields, p + (size_t)i * field->size);
    }
}

static bool load_fields(struct reader *r, const struct state_field *fields, void *object)
{
    for (const struct state_field *field = fields; field->type != STATE_END; field++) {
        uint8_t *p = (uint8_t *)object + field->offset;
        size_t size = plain_size(field->type);
        if (size) {
            const uint8_t *bytes = reader_take(r, size * field->count, field->name);
            if (!bytes)
                return false;
            if (r->apply)
                memcpy(p, bytes, size * field->count);
            continue;
        }
        for (uint32_t i = 0; i < field->count; i++) {
            if (!load_element(r, field, p, i))
                return false;
        }
    }
    return true;
}

// Reads a section's header; *payload becomes a reader of just its payload. NULL with the error set.
static struct state_section *load_header(struct reader *r, const struct state_registry *registry,
                                         struct reader *payload)
{
    r->section = "header";
    const uint8_t *p = reader_take(r, 1, "name length");
    if (!p)
        return NULL;
    size_t length = *p;
    const char *name = (const char *)reader_take(r, length, "name");
    if (!name)
        return NULL;
    struct state_section *section = registry_find(registry, name, length);
    if (!section) {
        char shown[UINT8_MAX + 1];
        for (size_t i = 0; i < length; i++)
            shown[i] = name[i] >= ' ' && name[i] <= '~' ? name[i] : '?';
        shown[length] = '\0';
        error_set(r->err, "the snapshot has a section '%s', which this machine does not have",
                  shown);
        return NULL;
    }
    r->section = section->name;
    p = reader_take(r, 8, "version and length");
    if (!p)
        return NULL;
    if (load_le32(p) != section->version) {
        error_set(r->err, "section '%s' of the snapshot has version %u, this emu reads version %u",
                  section->name, load_le32(p), section->version);
        return NULL;
    }
    uint32_t payload_length = load_le32(p + 4);
    const uint8_t *bytes = reader_take(r, payload_length, "fields");
    if (!bytes)
        return NULL;
    *payload = *r;
    payload->data = bytes;
    payload->left = payload_length;
    return section;
}

// One pass over all sections: checking (apply false) or loading what was checked. `seen` has
// registry->count entries.
static bool load_pass(const struct state_registry *registry, struct reader r, bool *seen)
{
    while (r.left) {
        struct reader payload;
        struct state_section *section = load_header(&r, registry, &payload);
        if (!section)
            return false;
        size_t index = (size_t)(section - registry->sections);
        if (seen[index] && !r.apply)
            return error_set(r.err, "the snapshot is damaged: section '%s' occurs twice",
                             section->name);
        seen[index] = true;
        if (!load_fields(&payload, section->fields, section->object))
            return false;
        if (payload.left)
            return error_set(r.err, "the snapshot is damaged: section '%s' is %zu bytes too long",
                             section->name, payload.left);
    }
    for (size_t i = 0; i < registry->count; i++) {
        if (!seen[i])
            return error_set(r.err, "the snapshot has no section '%s', which this machine needs",
                             registry->sections[i].name);
    }
    return true;
}

bool state_load(struct state_registry *registry, const void *data, size_t length, struct error *err)
{
    bool *seen = xcalloc(registry->count, sizeof *seen);
    struct reader r = {.data = data, .left = length, .err = err};
    bool ok = load_pass(registry, r, seen);
    if (ok) {
        r.apply = true;
        ok = load_pass(registry, r, seen);
    }
    free(seen);
    for (size_t i = 0; ok && i < registry->count; i++) {
        const struct state_section *section = &registry->sections[i];
        if (section->after_load && !section->after_load(section->object, err))
            ok = error_prefix(err, "section '%s' of the snapshot", section->name);
    }
    return ok;
}
