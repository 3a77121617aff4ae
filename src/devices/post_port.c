// SPDX-License-Identifier: MIT
// POST codes at port 0x80 and at a second port that the user names, logged under the category
// `post`; a read of the first gives the last one, since it is also an unused page register of the
// DMA controller. Linux writes here for its I/O delays.
#include "devices/post_port.h"

#include <stdlib.h>

struct post_port {
    uint8_t value;
    struct log *log;
    struct state_registry *registry;
    uint16_t second;
    struct port_range *range, *second_range;
};

static const struct state_field post_fields[] = {
    STATE_FIELD(STATE_U8, struct post_port, value),
    STATE_FIELDS_END,
};

static uint32_t post_read(void *self, uint32_t offset, unsigned size)
{
    return ((const struct post_port *)self)->value;
}

static void post_write(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    struct post_port *post = self;
    post->value = (uint8_t)value;
    if (log_enabled(post->log, LOG_POST))
        log_write(post->log, LOG_POST, "post: %02x\n", post->value);
}

static void second_write(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    struct post_port *post = self;
    if (log_enabled(post->log, LOG_POST))
        log_write(post->log, LOG_POST, "post %03x: %02x\n", post->second, value & 0xff);
}

static const struct port_ops post_ops = {.read = post_read, .write = post_write};
static const struct port_ops second_ops = {.write = second_write};

uint8_t post_port_value(const struct post_port *post)
{
    return post->value;
}

void post_port_reset(struct post_port *post)
{
    post->value = 0;
}

struct post_port *post_port_create(struct portio *ports, struct log *log,
                                   struct state_registry *registry, uint16_t second)
{
    struct post_port *post = xcalloc(1, sizeof *post);
    post->log = log;
    post->registry = registry;
    post->range = portio_add(ports, "post", 0x80, 1, &post_ops, post);
    post->second = second;
    if (second)
        post->second_range = portio_add(ports, "post-2", second, 1, &second_ops, post);
    state_register(registry,
                   &(struct state_section){
                       .name = "post", .version = 1, .fields = post_fields, .object = post});
    return post;
}

void post_port_destroy(struct post_port *post)
{
    if (!post)
        return;
    state_unregister(post->registry, post);
    port_range_remove(post->second_range);
    port_range_remove(post->range);
    free(post);
}
