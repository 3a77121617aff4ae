// SPDX-License-Identifier: MIT
// syscalls_linux: the table of calls.
#include "decode.h"

enum { CALLS = 512 };

#define SYSCALL(nr_, name_, ret_, ...) [nr_] = {name_, ret_, {__VA_ARGS__}},
static const struct syscall_row rows[CALLS] = {
#include "syscalls.def"
};
static const struct syscall_row unknown = {
    NULL, RET_DEC, {ARG_HEX, ARG_HEX, ARG_HEX, ARG_HEX, ARG_HEX, ARG_HEX}};

const struct syscall_row *syscall_row(uint32_t nr)
{
    return nr < CALLS && rows[nr].name ? &rows[nr] : &unknown;
}

#define KIND_IN(kind)  true,
#define KIND_OUT(kind) false,
static const bool is_in[ARG_COUNT] = {true, ARG_KINDS(KIND_IN, KIND_OUT)};

bool decode_is_in(enum arg_kind kind)
{
    return is_in[kind];
}

static const struct syscall_row socketcalls[] = {
    [1] = {"socket", RET_DEC, {ARG_AF, ARG_SOCKTYPE, ARG_SOCKPROTO}},
    [2] = {"bind", RET_DEC, {ARG_FD, ARG_SOCKADDR, ARG_SOCKLEN}},
    [3] = {"connect", RET_DEC, {ARG_FD, ARG_SOCKADDR, ARG_SOCKLEN}},
    [4] = {"listen", RET_DEC, {ARG_FD, ARG_INT}},
    [5] = {"accept", RET_DEC, {ARG_FD, ARG_SOCKADDR_OUT, ARG_SOCKLENP}},
    [6] = {"getsockname", RET_DEC, {ARG_FD, ARG_SOCKADDR_OUT, ARG_SOCKLENP}},
    [7] = {"getpeername", RET_DEC, {ARG_FD, ARG_SOCKADDR_OUT, ARG_SOCKLENP}},
    [8] = {"socketpair", RET_DEC, {ARG_AF, ARG_SOCKTYPE, ARG_SOCKPROTO, ARG_FDPAIR}},
    [9] = {"send", RET_DEC, {ARG_FD, ARG_BUF_IN, ARG_SIZE, ARG_MSGFLAGS}},
    [10] = {"recv", RET_DEC, {ARG_FD, ARG_BUF_OUT, ARG_SIZE, ARG_MSGFLAGS}},
    [11] = {"sendto",
            RET_DEC,
            {ARG_FD, ARG_BUF_IN, ARG_SIZE, ARG_MSGFLAGS, ARG_SOCKADDR, ARG_SOCKLEN}},
    [12] = {"recvfrom",
            RET_DEC,
            {ARG_FD, ARG_BUF_OUT, ARG_SIZE, ARG_MSGFLAGS, ARG_SOCKADDR_OUT, ARG_SOCKLENP}},
    [13] = {"shutdown", RET_DEC, {ARG_FD, ARG_SHUT}},
    [14] = {"setsockopt", RET_DEC, {ARG_FD, ARG_SOL, ARG_SOCKOPT, ARG_SOCKOPTVAL, ARG_SOCKLEN}},
    [15] = {"getsockopt",
            RET_DEC,
            {ARG_FD, ARG_SOL, ARG_SOCKOPT, ARG_SOCKOPTVAL_OUT, ARG_SOCKLENP}},
    [16] = {"sendmsg", RET_DEC, {ARG_FD, ARG_MSGHDR, ARG_MSGFLAGS}},
    [17] = {"recvmsg", RET_DEC, {ARG_FD, ARG_MSGHDR_OUT, ARG_MSGFLAGS}},
    [18] = {"accept4", RET_DEC, {ARG_FD, ARG_SOCKADDR_OUT, ARG_SOCKLENP, ARG_SOCKFLAGS}},
};

const struct syscall_row *socketcall_row(uint32_t operation, unsigned *count)
{
    if (operation >= sizeof socketcalls / sizeof *socketcalls || !socketcalls[operation].name)
        return NULL;
    const struct syscall_row *row = &socketcalls[operation];
    for (*count = 0; *count < MAX_ARGS && row->args[*count] != ARG_NONE;)
        ++*count;
    return row;
}
