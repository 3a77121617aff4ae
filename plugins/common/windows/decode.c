// SPDX-License-Identifier: MIT
// Arguments of Windows calls: read from the caller's memory when the call is entered and when it
// returns, and rendered. The caller is hostile: every size is bounded, every address may be bad. An
// argument whose memory cannot be read is shown as the address it is.
#include <stdlib.h>
#include <string.h>

#include "common/guest.h"
#include "common/windows/calls.h"

#define NAME_LIMIT 32768u // UTF-16 units: the most that a UNICODE_STRING can hold
#define PFN_LIMIT  16u

// winnt.h, CONTEXT of i386
enum { CONTEXT_EBX = 0xa4, CONTEXT_EAX = 0xb0, CONTEXT_EIP = 0xb8, CONTEXT_ESP = 0xc4 };

struct object_attributes {
    uint32_t length, root, name, attributes, security_descriptor, quality_of_service;
};

struct unicode_string {
    uint16_t length, maximum_length;
    uint32_t buffer;
};

static void add_pointer(struct text *text, uint32_t value)
{
    if (value)
        text_printf(text, "0x%08x", value);
    else
        text_add(text, "NULL");
}

static void add_handle(struct text *text, uint32_t value, enum win_arg_kind kind)
{
    if (kind == ARG_PROCESS && value == 0xffffffff)
        text_add(text, "NtCurrentProcess()");
    else if (kind == ARG_THREAD && value == 0xfffffffe)
        text_add(text, "NtCurrentThread()");
    else if (value)
        text_printf(text, "0x%x", value);
    else
        text_add(text, "NULL");
}

static bool read_unicode_string(CPUArchState *cpu, uint32_t address, struct text *text)
{
    struct unicode_string s;
    return guest_read(cpu, address, &s, sizeof s) &&
           (guest_read_utf16(cpu, s.buffer, s.length, NAME_LIMIT, text) || text->length > 0);
}

static bool add_object_attributes(struct win_record *r, CPUArchState *cpu, uint32_t address,
                                  struct text *text)
{
    struct object_attributes oa;
    if (!address || !guest_read(cpu, address, &oa, sizeof oa))
        return false;
    struct text name = {0};
    bool named = oa.name && read_unicode_string(cpu, oa.name, &name);
    text_add(text, "{");
    if (oa.root)
        text_printf(text, "RootDirectory=0x%x, ", oa.root);
    text_add(text, "ObjectName=");
    if (named)
        text_add_name(text, text_string(&name));
    else
        add_pointer(text, oa.name);
    text_add(text, ", Attributes=");
    win_add_flags(text, win_object_attributes, oa.attributes);
    text_add(text, "}");
    if (named) {
        free(r->object_name);
        r->object_name = text_take(&name);
    }
    text_free(&name);
    return true;
}

static bool add_context(struct win_record *r, CPUArchState *cpu, uint32_t address,
                        struct text *text)
{
    uint32_t eip, esp, eax, ebx;
    if (!guest_read_u32(cpu, address + CONTEXT_EIP, &eip) ||
        !guest_read_u32(cpu, address + CONTEXT_ESP, &esp) ||
        !guest_read_u32(cpu, address + CONTEXT_EAX, &eax) ||
        !guest_read_u32(cpu, address + CONTEXT_EBX, &ebx))
        return false;
    r->entry_point = eip;
    text_printf(text, "{Eip=0x%08x, Esp=0x%08x, Eax=0x%08x, Ebx=0x%08x}", eip, esp, eax, ebx);
    return true;
}

static bool add_initial_teb(CPUArchState *cpu, uint32_t address, struct text *text)
{
    uint32_t teb[5]; // old base, old limit, base, limit, allocation base
    if (!guest_read(cpu, address, teb, sizeof teb))
        return false;
    text_printf(text, "{StackBase=0x%08x, StackLimit=0x%08x, AllocatedStackBase=0x%08x}", teb[2],
                teb[3], teb[4]);
    return true;
}

static bool add_data(CPUArchState *cpu, uint32_t address, uint32_t length, uint32_t limit,
                     struct text *text)
{
    uint32_t want = length < limit ? length : limit;
    uint8_t *data = malloc(want + 1);
    size_t got = data && address ? cpu_read_memory(cpu, address, data, want) : 0;
    bool ok = got == want && address;
    if (ok) {
        text_add_bytes(text, data, got);
        if (length > want)
            text_add(text, "...");
    }
    free(data);
    return ok;
}

// Reads what an argument points at when the call is entered, as far as signals carry it.
static void read_in(struct win_record *r, CPUArchState *cpu, unsigned i)
{
    uint32_t address = r->arg[i], low;
    bool ok = false;
    switch (r->call->arg[i].kind) {
    case ARG_LARGE_IN:
    case ARG_LARGE_INOUT:
        ok = address && guest_read_u64(cpu, address, &r->in[i]);
        break;
    case ARG_CLIENT_IN:
        ok = address && guest_read_u32(cpu, address, &low) &&
             guest_read_u32(cpu, address + 4, &r->client_thread);
        r->in[i] = ok ? low : 0;
        break;
    case ARG_ULONG_IN:
    case ARG_POINTER_INOUT:
    case ARG_SIZE_INOUT:
        ok = address && guest_read_u32(cpu, address, &low);
        r->in[i] = ok ? low : 0;
        break;
    default:
        break;
    }
    if (ok)
        r->has_in |= 1u << i;
}

static void add_client(struct text *text, uint64_t process, uint32_t thread)
{
    text_printf(text, "{UniqueProcess=%u, UniqueThread=%u}", (uint32_t)process, thread);
}

static void add_word(struct text *text, enum win_arg_kind kind, uint64_t value)
{
    if (kind == ARG_POINTER_INOUT)
        add_pointer(text, (uint32_t)value);
    else
        text_printf(text, "%lld", (long long)(int64_t)value);
}

// Plain values. False: kind is no plain value.
static bool add_value(struct text *text, const struct win_arg *arg, uint32_t value)
{
    switch (arg->kind) {
    case ARG_HANDLE:
    case ARG_PROCESS:
    case ARG_THREAD:
        add_handle(text, value, arg->kind);
        return true;
    case ARG_U32:
        text_printf(text, "%u", value);
        return true;
    case ARG_POINTER:
        add_pointer(text, value);
        return true;
    case ARG_BOOLEAN:
        text_add(text, value & 0xff ? "TRUE" : "FALSE");
        return true;
    case ARG_FLAGS:
        win_add_flags(text, arg->names, value);
        return true;
    case ARG_ENUM:
        win_add_enum(text, arg->names, value);
        return true;
    case ARG_STATUS:
        win_add_status(text, value);
        return true;
    default:
        return false;
    }
}

// What is known at entry. False: nothing, or it could not be read.
static bool add_in(struct win_record *r, CPUArchState *cpu, unsigned i, uint32_t bytes,
                   struct text *text)
{
    const struct win_arg *arg = &r->call->arg[i];
    bool have = r->has_in >> i & 1;
    if (add_value(text, arg, r->arg[i]))
        return true;
    switch (arg->kind) {
    case ARG_OBJECT_ATTRIBUTES:
        return add_object_attributes(r, cpu, r->arg[i], text);
    case ARG_CONTEXT_IN:
        return r->arg[i] && add_context(r, cpu, r->arg[i], text);
    case ARG_INITIAL_TEB_IN:
        return r->arg[i] && add_initial_teb(cpu, r->arg[i], text);
    case ARG_BUFFER_IN:
        return i + 1 < r->args && add_data(cpu, r->arg[i], r->arg[i + 1], bytes, text);
    case ARG_CLIENT_IN:
        if (have)
            add_client(text, r->in[i], r->client_thread);
        return have;
    case ARG_LARGE_IN:
    case ARG_ULONG_IN:
    case ARG_POINTER_INOUT:
    case ARG_SIZE_INOUT:
    case ARG_LARGE_INOUT:
        if (have) {
            text_add(text, "[");
            add_word(text, arg->kind, r->in[i]);
            text_add(text, "]");
        }
        return have;
    default:
        return false;
    }
}

static void set_text(struct win_record *r, unsigned i, bool ok, struct text *text)
{
    if (!ok) {
        text_clear(text);
        add_pointer(text, r->arg[i]);
    }
    free(r->text[i]);
    r->text[i] = text_take(text);
}

void win_record_enter(struct win_record *r, CPUArchState *cpu, uint32_t arguments, bool render,
                      uint32_t bytes)
{
    unsigned want = r->call ? r->call->args : 4;
    r->args = (unsigned)(cpu_read_memory(cpu, arguments, r->arg, want * sizeof r->arg[0]) /
                         sizeof r->arg[0]);
    for (unsigned i = 0; r->call && i < r->args; i++) {
        enum win_arg_kind kind = r->call->arg[i].kind;
        struct text text = {0};
        read_in(r, cpu, i);
        // The object's name and the thread's entry point go into signals too.
        if (render || kind == ARG_OBJECT_ATTRIBUTES || kind == ARG_CONTEXT_IN) {
            bool ok = add_in(r, cpu, i, bytes, &text);
            set_text(r, i, ok, &text);
        }
    }
}

// ---- At return

static void read_out(struct win_record *r, CPUArchState *cpu, unsigned i)
{
    uint32_t address = r->arg[i], low;
    bool ok = false;
    switch (r->call->arg[i].kind) {
    case ARG_LARGE_INOUT:
    case ARG_IOSB_OUT:
    case ARG_IOSB_CREATE_OUT:
        ok = address && guest_read_u64(cpu, address, &r->out[i]);
        break;
    case ARG_CLIENT_OUT:
        ok = address && guest_read_u32(cpu, address, &low) &&
             guest_read_u32(cpu, address + 4, &r->client_thread);
        r->out[i] = ok ? low : 0;
        break;
    case ARG_HANDLE_OUT:
    case ARG_ULONG_OUT:
    case ARG_POINTER_INOUT:
    case ARG_SIZE_INOUT:
        ok = address && guest_read_u32(cpu, address, &low);
        r->out[i] = ok ? low : 0;
        break;
    default:
        break;
    }
    if (ok)
        r->has_out |= 1u << i;
}

static void add_iosb(struct text *text, enum win_arg_kind kind, uint64_t value)
{
    text_add(text, "{Status=");
    win_add_status(text, (uint32_t)value);
    text_add(text, ", Information=");
    if (kind == ARG_IOSB_CREATE_OUT)
        win_add_enum(text, win_file_information, (uint32_t)(value >> 32));
    else
        text_printf(text, "%u", (uint32_t)(value >> 32));
    text_add(text, "}");
}

static bool add_pfns(struct win_record *r, CPUArchState *cpu, unsigned i, struct text *text)
{
    uint64_t count = i > 0 && r->has_out >> (i - 1) & 1 ? r->out[i - 1] : 0;
    if (!r->arg[i])
        return false;
    text_add(text, "[");
    for (unsigned n = 0; n < count && n < PFN_LIMIT; n++) {
        uint32_t frame;
        if (!guest_read_u32(cpu, r->arg[i] + 4 * n, &frame))
            return false;
        text_printf(text, "%s0x%x", n ? ", " : "", frame);
    }
    text_add(text, count > PFN_LIMIT ? ", ...]" : "]");
    return true;
}

// ProcessBasicInformation, ProcessImageFileName and plain ULONGs are what people look at.
static bool add_process_information(struct win_record *r, CPUArchState *cpu, unsigned i,
                                    uint32_t bytes, struct text *text)
{
    uint32_t class = r->arg[i - 1], length = i + 1 < r->args ? r->arg[i + 1] : 0, words[6];
    if (!r->arg[i])
        return false;
    if (class == 0 && length >= sizeof words && guest_read(cpu, r->arg[i], words, sizeof words)) {
        text_add(text, "{ExitStatus=");
        win_add_status(text, words[0]);
        text_printf(text,
                    ", PebBaseAddress=0x%08x, AffinityMask=0x%x, BasePriority=%d, "
                    "UniqueProcessId=%u, InheritedFromUniqueProcessId=%u}",
                    words[1], words[2], (int)words[3], words[4], words[5]);
        return true;
    }
    if ((class == 27 || class == 43) && length >= sizeof(struct unicode_string)) {
        struct text name = {0};
        bool ok = read_unicode_string(cpu, r->arg[i], &name);
        if (ok)
            text_add_name(text, text_string(&name));
        text_free(&name);
        return ok;
    }
    if (length == 4 && guest_read_u32(cpu, r->arg[i], words)) {
        text_printf(text, "[0x%x]", words[0]);
        return true;
    }
    return add_data(cpu, r->arg[i], length, bytes, text);
}

static bool add_out(struct win_record *r, CPUArchState *cpu, unsigned i, uint32_t bytes,
                    struct text *text)
{
    enum win_arg_kind kind = r->call->arg[i].kind;
    bool have = r->has_out >> i & 1;
    switch (kind) {
    case ARG_HANDLE_OUT:
        text_add(text, "[");
        add_handle(text, (uint32_t)r->out[i], ARG_HANDLE);
        text_add(text, "]");
        return have;
    case ARG_ULONG_OUT:
        text_printf(text, "[%u]", (uint32_t)r->out[i]);
        return have;
    case ARG_CLIENT_OUT:
        add_client(text, r->out[i], r->client_thread);
        return have;
    case ARG_IOSB_OUT:
    case ARG_IOSB_CREATE_OUT:
        add_iosb(text, kind, r->out[i]);
        return have;
    case ARG_BUFFER_OUT:
        return i > 0 && r->has_out >> (i - 1) & 1 && i + 1 < r->args &&
               add_data(cpu, r->arg[i],
                        (uint32_t)(r->out[i - 1] >> 32) < r->arg[i + 1]
                            ? (uint32_t)(r->out[i - 1] >> 32)
                            : r->arg[i + 1],
                        bytes, text);
    case ARG_PFN_OUT:
        return add_pfns(r, cpu, i, text);
    case ARG_PROCESS_INFORMATION_OUT:
        return i > 0 && add_process_information(r, cpu, i, bytes, text);
    default: // in and out
        if (!have || !(r->has_in >> i & 1))
            return false;
        text_add(text, "[");
        add_word(text, kind, r->in[i]);
        text_add(text, " => ");
        add_word(text, kind, r->out[i]);
        text_add(text, "]");
        return true;
    }
}

void win_record_return(struct win_record *r, CPUArchState *cpu, uint32_t status, bool render,
                       uint32_t bytes)
{
    if (!r->call || !win_status_has_values(status))
        return;
    for (unsigned i = 0; i < r->args; i++) {
        enum win_arg_kind kind = r->call->arg[i].kind;
        bool iosb = kind == ARG_IOSB_OUT || kind == ARG_IOSB_CREATE_OUT;
        if (kind < ARG_FIRST_OUT || (iosb && status == WIN_STATUS_PENDING))
            continue;
        read_out(r, cpu, i);
        struct text text = {0};
        if (render) {
            bool ok = add_out(r, cpu, i, bytes, &text);
            if (ok || kind < ARG_FIRST_INOUT)
                set_text(r, i, ok, &text);
        }
        text_free(&text);
    }
}

void win_record_free(struct win_record *r)
{
    if (!r)
        return;
    for (unsigned i = 0; i < WIN_MAX_ARGS; i++)
        free(r->text[i]);
    free(r->object_name);
    free(r);
}
