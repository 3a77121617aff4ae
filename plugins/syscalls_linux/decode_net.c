// SPDX-License-Identifier: MIT
// syscalls_linux: sockets.
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "decode.h"
#include "names.h"

enum {
    FAMILY_UNIX = 1,
    FAMILY_INET = 2,
    FAMILY_INET6 = 10,
    FAMILY_NETLINK = 16,
    MAX_ADDRESS = 128
};

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
        if (length < 16) {
            text_add(t, ", sa_data=");
            text_quote(t, a + 2, length - 2, false);
            break;
        }
        inet_ntop(AF_INET, a + 4, ip, sizeof ip);
        text_printf(t, ", sin_port=htons(%u), sin_addr=inet_addr(\"%s\")", port, ip);
        break;
    case FAMILY_INET6:
        inet_ntop(AF_INET6, a + 8, ip, sizeof ip);
        text_printf(t,
                    ", sin6_port=htons(%u), sin6_flowinfo=htonl(%u), "
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

// Control messages: descriptors and credentials by what they are.
static void decode_control(struct decoder *d, uint32_t address, uint32_t length, struct text *t)
{
    enum { LEVEL_SOCKET = 1, RIGHTS = 1, CREDENTIALS = 2, HEADER = 12, MAX_MESSAGES = 16 };
    text_add(t, ", msg_control=[");
    for (uint32_t at = 0, n = 0; at + HEADER <= length && n < MAX_MESSAGES; n++) {
        uint32_t c[3], w[32] = {0};
        if (decode_read(d, address + at, c, sizeof c) < sizeof c || c[0] < HEADER ||
            c[0] > length - at)
            break;
        uint32_t size = c[0] - HEADER < sizeof w ? c[0] - HEADER : (uint32_t)sizeof w;
        decode_read(d, address + at + HEADER, w, size);
        text_printf(t, "%s{cmsg_len=%u, cmsg_level=", n ? ", " : "", c[0]);
        text_value(t, sol_names, c[1], "SOL_???");
        text_add(t, ", cmsg_type=");
        if (c[1] == LEVEL_SOCKET)
            text_value(t, scm_names, c[2], "SCM_???");
        else
            text_printf(t, "%#x", c[2]);
        if (c[1] == LEVEL_SOCKET && c[2] == RIGHTS) {
            for (uint32_t k = 0; k < size / 4; k++)
                text_printf(t, k ? ", %d" : ", cmsg_data=[%d", (int32_t)w[k]);
            text_add(t, size >= 4 ? "]" : "");
        } else if (c[1] == LEVEL_SOCKET && c[2] == CREDENTIALS && size >= 12) {
            text_printf(t, ", cmsg_data={pid=%u, uid=%u, gid=%u}", w[0], w[1], w[2]);
        } else if (size) {
            text_add(t, ", cmsg_data=");
            text_quote(t, w, size, true);
        }
        text_add(t, "}");
        at += (c[0] + 3) & ~3u;
    }
    text_add(t, "]");
}

static void decode_message(struct decoder *d, uint32_t address, uint32_t limit, struct text *t)
{
    uint32_t m[7]; // name, namelen, iov, iovlen, control, controllen, flags
    if (!address || decode_read(d, address, m, sizeof m) < sizeof m) {
        decode_pointer(address, t);
        return;
    }
    text_add(t, "{msg_name=");
    if (m[0] && m[1])
        decode_address(d, m[0], m[1], t);
    else
        decode_pointer(m[0], t);
    text_printf(t, ", msg_namelen=%u, msg_iov=", m[1]);
    decode_iovec(d, m[2], m[3], limit, t);
    text_printf(t, ", msg_iovlen=%u", m[3]);
    if (m[4] && m[5])
        decode_control(d, m[4], m[5], t);
    text_printf(t, ", msg_controllen=%u, msg_flags=", m[5]);
    text_bits(t, msg_bits, m[6], "MSG_???");
    text_add(t, "}");
}

static void decode_message_out(struct decoder *d, struct call *call, unsigned i, struct text *t)
{
    uint32_t length;
    if (!failed(call))
        decode_message(d, call->args[i], (uint32_t)call->ret, t);
    else if (call->args[i] && decode_read(d, call->args[i] + 4, &length, 4) == 4)
        text_printf(t, "{msg_namelen=%u}", length);
    else
        decode_pointer(call->args[i], t);
}

// struct mmsghdr: a message and how much of it was transferred.
static void decode_messages(struct decoder *d, struct call *call, unsigned i, bool out,
                            struct text *t)
{
    enum { SIZE = 32, LENGTH = 28 };
    if ((out && call->ret < 0) || !call->args[i]) {
        decode_pointer(call->args[i], t);
        return;
    }
    uint32_t count = call->ret < 0 ? call->args[i + 1] : (uint32_t)call->ret;
    text_add(t, "[");
    for (uint32_t k = 0; k < count && k < d->string_limit; k++) {
        uint32_t at = call->args[i] + k * SIZE, length = 0;
        decode_read(d, at + LENGTH, &length, 4);
        text_add(t, k ? ", {msg_hdr=" : "{msg_hdr=");
        decode_message(d, at, out ? length : UINT32_MAX, t);
        if (call->ret >= 0)
            text_printf(t, ", msg_len=%u", length);
        text_add(t, "}");
    }
    text_add(t, "]");
}

static void decode_option(struct decoder *d, struct call *call, unsigned i, bool out,
                          struct text *t)
{
    uint32_t length = call->args[i + 1];
    int32_t value;
    if (out && (failed(call) || decode_read(d, call->args[i + 1], &length, 4) < 4))
        length = 0;
    int32_t pair[2];
    if (call->args[i - 2] == 1 && call->args[i - 1] == 13 && length == 8 &&
        decode_read(d, call->args[i], pair, 8) == 8)
        text_printf(t, "{l_onoff=%d, l_linger=%d}", pair[0], pair[1]);
    else if (length == 4 && call->args[i] && decode_read(d, call->args[i], &value, 4) == 4)
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
        if (!name_of(sock_type_names, v & 0xF)) {
            text_value(t, sock_type_names, v, "SOCK_???");
            break;
        }
        text_value(t, sock_type_names, v & 0xF, NULL);
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
        if (call->args[i - 1] == 6)
            text_value(t, tcp_names, v, "TCP_???");
        else if (call->args[i - 1] == 0)
            text_value(t, ipopt_names, v, "IP_???");
        else
            text_value(t, so_names, v, "SO_???");
        break;
    case ARG_SOCKOPTVAL:
    case ARG_SOCKOPTVAL_OUT:
        decode_option(d, call, i, call->row->args[i] == ARG_SOCKOPTVAL_OUT, t);
        break;
    case ARG_MSGHDR:
        decode_message(d, v, UINT32_MAX, t);
        break;
    case ARG_MSGHDR_OUT:
        decode_message_out(d, call, i, t);
        break;
    case ARG_MMSGHDR:
    case ARG_MMSGHDR_OUT:
        decode_messages(d, call, i, call->row->args[i] == ARG_MMSGHDR_OUT, t);
        break;
    default:
        text_printf(t, "%#x", v);
        break;
    }
}
