// SPDX-License-Identifier: MIT
// Descriptions of the payloads of calls in general and of files.
#include "common/windows/syscall_signals.h"

static const struct payload_field call_fields[] = {
    PAYLOAD_FIELD(struct syscall_call, context, PAYLOAD_HEX32, "CR3 of the caller"),
    PAYLOAD_FIELD(struct syscall_call, thread, PAYLOAD_HEX32, "address of the caller's TEB"),
    PAYLOAD_FIELD(struct syscall_call, number, PAYLOAD_HEX32, "of the call"),
    PAYLOAD_FIELD(struct syscall_call, name, PAYLOAD_STRING, "of the call; NULL: not known"),
    PAYLOAD_FIELD(struct syscall_call, arg, PAYLOAD_POINTER, "the raw arguments"),
    PAYLOAD_FIELD(struct syscall_call, args, PAYLOAD_U32, "how many of them were read"),
    PAYLOAD_FIELD(struct syscall_call, returned, PAYLOAD_BOOL,
                  "false at entry, and at the end of calls that never return"),
    PAYLOAD_FIELD(struct syscall_call, ret, PAYLOAD_S32, "result"),
    PAYLOAD_FIELDS_END};
const struct payload_type syscall_call_payload = {
    "windows_call", 1, sizeof(struct syscall_call), call_fields,
    "`SYSCALL_ENTRY`: a call is entered. `SYSCALL_RETURN`: it is over."};

static const struct payload_field open_fields[] = {
    PAYLOAD_FIELD(struct syscall_open, context, PAYLOAD_HEX32, "CR3 of the caller"),
    PAYLOAD_FIELD(struct syscall_open, thread, PAYLOAD_HEX32, "address of the caller's TEB"),
    PAYLOAD_FIELD(struct syscall_open, name, PAYLOAD_STRING, "of the file"),
    PAYLOAD_FIELD(struct syscall_open, handle, PAYLOAD_HEX32, "that it got"),
    PAYLOAD_FIELD(struct syscall_open, access, PAYLOAD_U32,
                  "1 read, 2 write, 4 create, 8 truncate, 16 append"),
    PAYLOAD_FIELD(struct syscall_open, ret, PAYLOAD_S32, "result"),
    PAYLOAD_FIELDS_END};
const struct payload_type syscall_open_payload = {"windows_open", 1, sizeof(struct syscall_open),
                                                  open_fields, "A file was opened or created."};

static const struct payload_field io_fields[] = {
    PAYLOAD_FIELD(struct syscall_io, context, PAYLOAD_HEX32, "CR3 of the caller"),
    PAYLOAD_FIELD(struct syscall_io, thread, PAYLOAD_HEX32, "address of the caller's TEB"),
    PAYLOAD_FIELD(struct syscall_io, handle, PAYLOAD_HEX32, "of the file"),
    PAYLOAD_FIELD(struct syscall_io, buffer, PAYLOAD_HEX32, "its address in the guest"),
    PAYLOAD_FIELD(struct syscall_io, length, PAYLOAD_U32, "bytes asked for"),
    PAYLOAD_FIELD(struct syscall_io, done, PAYLOAD_U32, "bytes transferred"),
    PAYLOAD_FIELD(struct syscall_io, offset, PAYLOAD_S64, "-1: at the file's own position"),
    PAYLOAD_FIELD(struct syscall_io, bytes, PAYLOAD_BYTES, "what was transferred, up to a limit"),
    PAYLOAD_FIELD(struct syscall_io, bytes_size, PAYLOAD_SIZE, "how many of them are here"),
    PAYLOAD_FIELD(struct syscall_io, ret, PAYLOAD_S32, "result"),
    PAYLOAD_FIELDS_END};
const struct payload_type syscall_io_payload = {"windows_io", 1, sizeof(struct syscall_io),
                                                io_fields, "A file was read or written."};

static const struct payload_field close_fields[] = {
    PAYLOAD_FIELD(struct syscall_close, context, PAYLOAD_HEX32, "CR3 of the caller"),
    PAYLOAD_FIELD(struct syscall_close, thread, PAYLOAD_HEX32, "address of the caller's TEB"),
    PAYLOAD_FIELD(struct syscall_close, handle, PAYLOAD_HEX32, "that is closed"),
    PAYLOAD_FIELD(struct syscall_close, ret, PAYLOAD_S32, "result"), PAYLOAD_FIELDS_END};
const struct payload_type syscall_close_payload = {"windows_close", 1, sizeof(struct syscall_close),
                                                   close_fields, "A handle was closed."};
