// SPDX-License-Identifier: MIT
// syscalls_linux: sockets.
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "decode.h"
#include "names.h"

enum { FAMILY_UNIX = 1, FAMILY_INET = 2, FAMILY_INET6 = 10, FAMILY_NETLINK = 16, MAX_ADDRESS = 128 };

static bool failed(const struct call *call)
{
    return call->ret < 0 && call->ret >= -4095;
}

static void decode_address(struct decoder *d, uint32_t address, uint32_t length, struct text *t)
{
    uint8_t a[MAX_ADDRESS] = {0};
    char ip[INET6_ADDRSTRLEN] = "?";
    if (length > sizeof a)
        length = sizeof a;
    if (!address || length < 2 || decode_read(d, address, a, length) < length) {
        decode_pointer(address, t);
        return;
    }
    uint16_t family = (uint16_t)(a[0] | a[1] << 8), port = (uint16_t)(a[2] << 8 | a[3]);
    text_add(t, "{sa_family=");
    text_value(t, af_names, family, "AF_???");
    switch (family) {
    case FAMILY_UNIX:
        if (length > 2) {
            bool abstract = a[2] == 0;
            size_t n = abstract ? length - 3 : strnlen((char *)a + 2, length - 2);
            text_add(t, abstract ? ", sun_path=@" : ", sun_path=");
            text_quote(t, a + (abstract ? 3 : 2), n, false);
        }
        break;
    case FAMILY_INET:
        inet_ntop(AF_INET, a + 4, ip, sizeof ip);
        text_printf(t, ", sin_port=htons(%u), sin_addr=inet_addr(\"%s\")", port, ip);
        break;
    case FAMILY_INET6:
        inet_ntop(AF_INET6, a + 8, ip, sizeof ip);
        text_printf(t, ", sin6_port=htons(%u), sin6_flowinfo=htonl(%u), "
                       "inet_pton(AF_INET6, \"%s\", &sin6_addr), sin6_scope_id=%u",
                    port, (unsigned)a[4] << 24 | (unsigned)a[5] << 16 | (unsigned)a[6] << 8 | a[7],
                    ip, (unsigned)a[24] | (unsigned)a[25] << 8);
        break;
    case FAMILY_NETLINK:
        text_printf(t, ", nl_pid=%u, nl_groups=%02x%02x%02x%02x",
                    (unsigned)a[4] | (unsigned)a[5] << 8 | (unsigned)a[6] << 16 |
                        (unsigned)a[7] << 24,
                    a[11], a[10], a[9], a[8]);
        break;
    default:
        text_add(t, ", sa_data=");
        text_quote(t, a + 2, length - 2, false);
        break;
    }
    text_add(t, "}");
}

static void decode_address_out(struct decoder *d, struct call *call, unsigned i, struct text *t)
{
    uint32_t length = 0;
    if (failed(call) || !call->args[i] || !call->args[i + 1] ||
        decode_read(d, call->args[i + 1], &length, 4) < 4) {
        decode_pointer(call->args[i], t);
        return;
    }
    if (length > call->old_length)
        length = call->old_length;
    decode_address(d, call->args[i], length, t);
}

static void decode_length(struct decoder *d, struct call *call, unsigned i, struct text *t)
{
    uint32_t length = 0;
    if (!call->args[i] || decode_read(d, call->args[i], &length, 4) < 4)
        decode_pointer(call->args[i], t);
    else if (call->old_sockaddr_known && call->old_length != length && !failed(call))
        text_printf(t, "[%u => %u]", call->old_length, length);
    else
        text_printf(t, "[%u]", length);
}

static void decode_message(struct decoder *d, struct call *call, unsigned i, bool out,
                           struct text *t)
{
    uint32_t m[7]; // name, namelen, iov, iovlen, control, controllen, flags
    if ((out && failed(call)) || !call->args[i] ||
        decode_read(d, call->args[i], m, sizeof m) < sizeof m) {
        decode_pointer(call->args[i], t);
        return;
    }
    text_add(t, "{msg_name=");
    if (m[0] && m[1])
        decode_address(d, m[0], m[1], t);
    else
        decode_pointer(m[0], t);
    text_printf(t, ", msg_namelen=%u, msg_iov=", m[1]);
    decode_iovec(d, m[2], m[3], out ? (uint32_t)call->ret : UINT32_MAX, t);
    text_printf(t, ", msg_iovlen=%u", m[3]);
    if (m[4] && m[5])
        text_printf(t, ", msg_control=%#x", m[4]);
    text_printf(t, ", msg_controllen=%u, msg_flags=", m[5]);
    text_bits(t, msg_bits, m[6], "MSG_???");
    text_add(t, "}");
}

static void decode_option(struct decoder *d, struct call *call, unsigned i, bool out,
                          struct text *t)
{
    uint32_t length = call->args[i + 1];
    int32_t value;
    if (out && (failed(call) || decode_read(d, call->args[i + 1], &length, 4) < 4))
        length = 0;
    if (length == 4 && call->args[i] && decode_read(d, call->args[i], &value, 4) == 4)
        text_printf(t, "[%d]", value);
    else if (length && call->args[i])
        decode_bytes(d, call->args[i], length, false, t);
    else
        decode_pointer(call->args[i], t);
}

void decode_net(struct decoder *d, struct call *call, unsigned i, struct text *t)
{
    uint32_t v = call->args[i];
    switch (call->row->args[i]) {
    case ARG_SOCKTYPE:
        text_value(t, sock_type_names, v & 0xF, "SOCK_???");
        if (v & ~0xFu) {
            text_add(t, "|");
            text_bits(t, sock_bits, v & ~0xFu, NULL);
        }
        break;
    case ARG_SOCKPROTO:
        if (call->args[0] == FAMILY_INET || call->args[0] == FAMILY_INET6)
            text_value(t, ip_names, v, "IPPROTO_???");
        else
            text_printf(t, "%u", v);
        break;
    case ARG_SOCKADDR:
        decode_address(d, v, call->args[i + 1], t);
        break;
    case ARG_SOCKADDR_OUT:
        decode_address_out(d, call, i, t);
        break;
    case ARG_SOCKLENP:
        decode_length(d, call, i, t);
        break;
    case ARG_SOCKOPT:
        text_value(t, call->args[i - 1] == 1 ? so_names : call->args[i - 1] == 6 ? tcp_names : so_names,
                   v, "SO_???");
        break;
    case ARG_SOCKOPTVAL:
    case ARG_SOCKOPTVAL_OUT:
        decode_option(d, call, i, call->row->args[i] == ARG_SOCKOPTVAL_OUT, t);
        break;
    case ARG_MSGHDR:
    case ARG_MSGHDR_OUT:
        decode_message(d, call, i, call->row->args[i] == ARG_MSGHDR_OUT, t);
        break;
    default:
        text_printf(t, "%#x", v);
        break;
    }
}
