// SPDX-License-Identifier: MIT
// The signal broker: groups of named signals, subscribers in order of priority, dispatch that
// survives subscribing, unsubscribing and deleting from inside a callback. Low in the house: every
// folder may emit. The plugin host above it loads providers on demand through the `missing` hook.
// Thread: the machine's thread.
#ifndef EMU_PLUGIN_SIGNAL_H
#define EMU_PLUGIN_SIGNAL_H

#include "base/error.h"
#include "plugin/payload.h"

struct broker;
struct signal_group;
struct signal;
struct subscription;

typedef void signal_callback(void *data, void *cpu);

struct broker *broker_create(void);
void broker_destroy(struct broker *broker);

// Groups. The owner is an opaque token (the plugin, NULL for emu itself): broker_drop_owner removes
// all of it.
struct signal_group *broker_register_group(struct broker *broker, const char *name, void *owner,
                                           struct error *err);
void broker_remove_group(struct signal_group *group);
struct signal_group *broker_find_group(struct broker *broker, const char *name);
const char *signal_group_name(const struct signal_group *group);

// Called when somebody subscribes to a group that nobody provides; returns true when it exists now.
void broker_set_missing_hook(struct broker *broker,
                             bool (*hook)(void *self, const char *group, struct error *err),
                             void *self);

// The signal `id` of a group, created at first use; the handle stays valid as long as the group, so
// an emitter resolves it once. payload may be NULL (undescribed).
struct signal *signal_resolve(struct signal_group *group, const char *id,
                              const struct payload_type *payload);
const char *signal_name(const struct signal *signal);
const struct payload_type *signal_payload(const struct signal *signal); // NULL: undescribed

struct subscribe_options {
    int priority;  // higher runs first; equal ones in order of subscription
    bool once;     // removed after its first call
    void *context; // passed to callback2
    void (*callback2)(void *context, void *data,
                      void *cpu); // used instead of callback when not NULL
    const struct payload_type
        *payload; // the layout the subscriber was built against; NULL: not checked
    // False: this emission is not for the subscriber. May be NULL.
    bool (*filter)(void *context, void *data, void *cpu);
    void (*free_context)(void *context); // called once when the subscription is freed; may be NULL
};

struct subscription *broker_subscribe(struct broker *broker, const char *group, const char *id,
                                      signal_callback *callback, void *owner,
                                      const struct subscribe_options *options, struct error *err);
bool broker_unsubscribe(struct broker *broker, const char *group, const char *id,
                        signal_callback *callback, void *owner);
void subscription_cancel(struct subscription *subscription);

// Every callback that has an owner is called through it, as fn(arg): the plugin host contains
// crashes there. NULL: called directly.
void broker_set_invoker(struct broker *broker,
                        void (*invoke)(void *self, void *owner, void (*fn)(void *arg), void *arg),
                        void *self);

// For a callback that was left by a jump: what it leaves behind is put right.
struct broker_mark {
    unsigned depth;
    void *owner;
};
struct broker_mark broker_mark(const struct broker *broker);
void broker_unwind(struct broker *broker, struct broker_mark mark);

// True while a callback runs.
bool broker_is_dispatching(const struct broker *broker);
// Who provides a group (NULL: emu itself).
void *signal_group_owner(const struct signal_group *group);
// True when the handle is a group of this broker that was not removed.
bool broker_has_group(const struct broker *broker, const struct signal_group *group);

// Removes every group and subscription of an owner; safe during dispatch.
void broker_drop_owner(struct broker *broker, void *owner);

// Called after somebody subscribed or unsubscribed; `any`: somebody is left. Emitters that cache
// the answer (executors, which put calls into blocks) register here.
void signal_set_watch(struct signal *signal, void (*changed)(void *self, bool any), void *self);

void signal_emit_slow(struct signal *signal, void *data, void *cpu);

// First member of struct signal, so that "nobody subscribed" costs one load and a branch.
struct signal_head {
    uint32_t subscribers;
};

static inline bool signal_has_subscribers(const struct signal *signal)
{
    return signal && UNLIKELY(((const struct signal_head *)signal)->subscribers != 0);
}

static inline void signal_emit(struct signal *signal, void *data, void *cpu)
{
    if (signal_has_subscribers(signal))
        signal_emit_slow(signal, data, cpu);
}

// Introspection for `info signals`.
struct signal_view {
    struct signal *signal;
    const char *group;
    const char *id;
    const char *owner_name; // NULL: emu
    const struct payload_type *payload;
    uint32_t subscribers;
    uint64_t emissions; // seen by a subscriber
    double per_second;  // since the last look that asked for it
};
void broker_for_each(struct broker *broker, void (*fn)(void *self, const struct signal_view *view),
                     void *self);

struct subscriber_view {
    const char *owner_name; // NULL: emu
    const void *function;
    int priority;
    bool once, filtered;
    uint64_t calls;
    double seconds; // spent in the callback, with what it called
};
void signal_for_each_subscriber(struct signal *signal,
                                void (*fn)(void *self, const struct subscriber_view *view),
                                void *self);
void broker_set_owner_namer(struct broker *broker, const char *(*name)(void *owner));

// The owner whose callback runs now (NULL: none): attributes faults and resources.
void *broker_current_owner(const struct broker *broker);

#endif
