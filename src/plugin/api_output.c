// SPDX-License-Identifier: MIT
// <emu/plugin.h>: what plugins print, output channels, timers. Both are closed with the plugin.
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "plugin/api_internal.h"

struct PluginChannel {
    struct PluginChannel *next;
    struct plugin *plugin;
    FILE *file; // NULL: the monitor
};

struct PluginTimer {
    struct PluginTimer *next;
    struct plugin *plugin;
    struct timer *timer;
    void (*fn)(void *opaque);
    void *opaque;
    bool destroyed; // inside its own callback
    bool running;
};

static void print_v(struct plugin_host *host, const char *fmt, va_list args)
{
    char *text = NULL;
    int length = vasprintf(&text, fmt, args);
    if (length > 0)
        host->env.print(host->env.self, text, (size_t)length);
    if (length >= 0)
        free(text);
}

EMU_API void plugin_printf(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    print_v(host_current(), fmt, args);
    va_end(args);
}

// ---- Channels

EMU_API PluginChannel *plugin_channel_open(const char *target)
{
    struct plugin_host *host = host_current();
    struct plugin *caller = API_CALLER(host);
    FILE *file = NULL;
    if (!caller)
        return NULL;
    if (target && strcmp(target, "-") != 0) {
        file = file_open_write(target);
        if (!file) {
            struct error err;
            error_set(&err, "output file '%s': %s", target, strerror(errno));
            api_refuse(host, caller, &err);
            return NULL;
        }
    }
    struct PluginChannel *channel = xcalloc(1, sizeof *channel);
    channel->plugin = caller;
    channel->file = file;
    channel->next = caller->channels;
    caller->channels = channel;
    return channel;
}

EMU_API void plugin_channel_printf(PluginChannel *channel, const char *fmt, ...)
{
    if (!channel)
        return;
    va_list args;
    va_start(args, fmt);
    if (channel->file)
        vfprintf(channel->file, fmt, args);
    else
        print_v(channel->plugin->host, fmt, args);
    va_end(args);
}

EMU_API void plugin_channel_write(PluginChannel *channel, const void *data, size_t size)
{
    if (!channel)
        return;
    struct plugin_host *host = channel->plugin->host;
    if (channel->file)
        fwrite(data, 1, size, channel->file);
    else
        host->env.print(host->env.self, data, size);
}

EMU_API void plugin_channel_flush(PluginChannel *channel)
{
    if (channel && channel->file)
        fflush(channel->file);
}

// The length of the UTF-8 character of two or more bytes at `text`, 0 when there is none.
static size_t utf8_length(const unsigned char *text, size_t length)
{
    static const struct {
        unsigned char mask, lead;
        uint32_t first; // shorter forms exist of those below
    } forms[] = {{0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
    for (size_t form = 0; form < sizeof forms / sizeof forms[0]; form++) {
        size_t bytes = form + 2;
        if ((text[0] & forms[form].mask) != forms[form].lead || length < bytes)
            continue;
        uint32_t character = text[0] & (unsigned char)~forms[form].mask;
        for (size_t i = 1; i < bytes; i++) {
            if ((text[i] & 0xc0) != 0x80)
                return 0;
            character = character << 6 | (text[i] & 0x3f);
        }
        bool is_surrogate = character >= 0xd800 && character <= 0xdfff;
        return character >= forms[form].first && character <= 0x10ffff && !is_surrogate ? bytes : 0;
    }
    return 0;
}

static void json_string(FILE *out, const char *text, size_t length)
{
    const unsigned char *at = (const unsigned char *)text, *end = at + length;
    fputc('"', out);
    while (at < end) {
        size_t bytes = utf8_length(at, (size_t)(end - at));
        if (bytes) {
            fwrite(at, 1, bytes, out);
            at += bytes;
            continue;
        }
        if (*at == '"' || *at == '\\')
            fprintf(out, "\\%c", *at);
        else if (*at < 0x20 || *at >= 0x7f) // a byte outside UTF-8 is the character of its number
            fprintf(out, "\\u%04x", *at);
        else
            fputc(*at, out);
        at++;
    }
    fputc('"', out);
}

static void json_bytes(FILE *out, const uint8_t *bytes, size_t length)
{
    fputc('"', out);
    for (size_t i = 0; bytes && i < length; i++)
        fprintf(out, "%02x", bytes[i]);
    fputc('"', out);
}

static uint64_t unsigned_field(const char *at, uint32_t size)
{
    uint64_t value = 0;
    memcpy(&value, at, size < sizeof value ? size : sizeof value);
    return value;
}

static void json_field(FILE *out, const struct payload_field *field, const char *data)
{
    const char *at = data + field->offset;
    switch (field->type) {
    case PAYLOAD_U8:
    case PAYLOAD_U16:
    case PAYLOAD_U32:
    case PAYLOAD_U64:
    case PAYLOAD_SIZE:
        fprintf(out, "%" PRIu64, unsigned_field(at, field->size));
        break;
    case PAYLOAD_S32:
        fprintf(out, "%" PRId32, (int32_t)unsigned_field(at, 4));
        break;
    case PAYLOAD_S64:
        fprintf(out, "%" PRId64, (int64_t)unsigned_field(at, 8));
        break;
    case PAYLOAD_BOOL:
        fputs(*(const bool *)at ? "true" : "false", out);
        break;
    case PAYLOAD_HEX32:
    case PAYLOAD_HEX64:
    case PAYLOAD_POINTER:
        fprintf(out, "\"0x%" PRIx64 "\"", unsigned_field(at, field->size));
        break;
    case PAYLOAD_STRING: {
        const char *text;
        memcpy(&text, at, sizeof text);
        if (text)
            json_string(out, text, strlen(text));
        else
            fputs("null", out);
        break;
    }
    case PAYLOAD_BYTES: {
        const uint8_t *bytes;
        memcpy(&bytes, at, sizeof bytes);
        json_bytes(out, bytes, unsigned_field(data + field[1].offset, field[1].size));
        break;
    }
    }
}

EMU_API void plugin_channel_json(PluginChannel *channel, const char *event,
                                 const struct payload_type *type, const void *data)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = channel ? open_memstream(&text, &size) : NULL;
    if (!out)
        return;
    fputs("{\"event\":", out);
    json_string(out, event, strlen(event));
    for (const struct payload_field *f = type && data ? type->fields : NULL; f && f->name; f++) {
        fputc(',', out);
        json_string(out, f->name, strlen(f->name));
        fputc(':', out);
        json_field(out, f, data);
    }
    fputs("}\n", out);
    fclose(out);
    plugin_channel_write(channel, text, size);
    free(text);
}

static void channel_free(PluginChannel *channel)
{
    if (channel->file)
        fclose(channel->file);
    free(channel);
}

EMU_API void plugin_channel_close(PluginChannel *channel)
{
    if (!channel)
        return;
    PluginChannel **link = &channel->plugin->channels;
    while (*link && *link != channel)
        link = &(*link)->next;
    if (*link) {
        *link = channel->next;
        channel_free(channel);
    }
}

// ---- Timers

EMU_API int64_t machine_clock_now(void)
{
    return clock_now(host_current()->env.cpu->clock);
}

static void timer_unlink_free(PluginTimer *timer)
{
    PluginTimer **link = &timer->plugin->timers;
    while (*link && *link != timer)
        link = &(*link)->next;
    if (*link)
        *link = timer->next;
    timer_destroy(timer->timer);
    free(timer);
}

static void call_timer(void *arg)
{
    PluginTimer *timer = arg;
    timer->fn(timer->opaque);
}

static void timer_due(void *self)
{
    PluginTimer *timer = self;
    timer->running = true;
    host_call(timer->plugin, call_timer, timer);
    timer->running = false;
    if (timer->destroyed)
        timer_unlink_free(timer);
}

EMU_API PluginTimer *plugin_timer_create(void (*fn)(void *opaque), void *opaque)
{
    struct plugin_host *host = host_current();
    struct plugin *owner = host_plugin_at(host, (const void *)(uintptr_t)fn);
    if (!owner)
        owner = API_CALLER(host);
    if (!owner || !fn)
        return NULL;
    PluginTimer *timer = xcalloc(1, sizeof *timer);
    timer->plugin = owner;
    timer->fn = fn;
    timer->opaque = opaque;
    timer->timer = timer_create_on(host->env.cpu->clock, owner->name, timer_due, timer);
    timer->next = owner->timers;
    owner->timers = timer;
    return timer;
}

EMU_API void plugin_timer_arm(PluginTimer *timer, int64_t deadline)
{
    if (timer && !timer->destroyed)
        timer_arm(timer->timer, deadline);
}

EMU_API void plugin_timer_cancel(PluginTimer *timer)
{
    if (timer)
        timer_cancel(timer->timer);
}

EMU_API void plugin_timer_destroy(PluginTimer *timer)
{
    if (!timer)
        return;
    timer_cancel(timer->timer);
    if (timer->running)
        timer->destroyed = true;
    else
        timer_unlink_free(timer);
}

void plugin_close_resources(struct plugin *plugin)
{
    while (plugin->timers)
        timer_unlink_free(plugin->timers);
    while (plugin->channels) {
        PluginChannel *channel = plugin->channels;
        plugin->channels = channel->next;
        channel_free(channel);
    }
}
