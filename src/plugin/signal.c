// SPDX-License-Identifier: MIT
// The signal broker. Nothing that a dispatch in progress may still look at is freed before the
// outermost dispatch ends: groups, signals and subscriptions are marked dead, skipped, and swept
// then.
#include "plugin/signal.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

struct subscription {
    struct subscription *next;
    struct signal *signal;
    signal_callback *callback;
    void (*callback2)(void *context, void *data, void *cpu);
    bool (*filter)(void *context, void *data, void *cpu);
    void (*free_context)(void *context);
    void *context;
    void *owner;
    uint64_t calls, ticks;
    uint64_t serial; // of its creation: a dispatch calls only older ones
    int priority;
    bool once;
    bool dead;
};

struct signal {
    struct signal_head head; // first: see signal_has_subscribers
    struct signal *next;
    struct signal_group *group;
    char *id;
    const struct payload_type *payload;
    struct subscription *subscriptions; // by falling priority, then rising serial
    uint64_t emissions;
    uint64_t seen_emissions; // at the last look
    int64_t seen_time;
    void (*changed)(void *self, bool any);
    void *changed_self;
};

struct signal_group {
    struct signal_group *next;
    struct broker *broker;
    char *name;
    void *owner;
    struct signal *signals;
    bool dead;
};

struct broker {
    struct signal_group *groups;
    uint64_t serial;
    unsigned depth; // dispatches in progress
    bool garbage;   // something is marked dead
    void *current_owner;
    bool (*missing)(void *self, const char *group, struct error *err);
    void *missing_self;
    const char *(*owner_name)(void *owner);
    void (*invoke)(void *self, void *owner, void (*fn)(void *arg), void *arg);
    void *invoke_self;
    uint64_t start_ticks; // what a tick is follows from the time since
    int64_t start_time;
};

static int64_t host_nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline uint64_t host_ticks(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    return (uint64_t)host_nanoseconds();
#endif
}

struct broker *broker_create(void)
{
    struct broker *broker = xcalloc(1, sizeof *broker);
    broker->start_ticks = host_ticks();
    broker->start_time = host_nanoseconds();
    return broker;
}

static void subscription_free(struct subscription *s)
{
    if (s->free_context)
        s->free_context(s->context);
    free(s);
}

static void signal_free(struct signal *signal)
{
    while (signal->subscriptions) {
        struct subscription *s = signal->subscriptions;
        signal->subscriptions = s->next;
        subscription_free(s);
    }
    free(signal->id);
    free(signal);
}

static void group_free(struct signal_group *group)
{
    while (group->signals) {
        struct signal *signal = group->signals;
        group->signals = signal->next;
        signal_free(signal);
    }
    free(group->name);
    free(group);
}

void broker_destroy(struct broker *broker)
{
    if (!broker)
        return;
    while (broker->groups) {
        struct signal_group *group = broker->groups;
        broker->groups = group->next;
        group_free(group);
    }
    free(broker);
}

static void signal_sweep(struct signal *signal)
{
    struct subscription **link = &signal->subscriptions;
    while (*link) {
        struct subscription *s = *link;
        if (s->dead) {
            *link = s->next;
            subscription_free(s);
        } else {
            link = &s->next;
        }
    }
}

// Frees what was marked dead, once no dispatch is in progress.
static void broker_sweep(struct broker *broker)
{
    if (broker->depth > 0 || !broker->garbage)
        return;
    broker->garbage = false;
    struct signal_group **link = &broker->groups;
    while (*link) {
        struct signal_group *group = *link;
        if (group->dead) {
            *link = group->next;
            group_free(group);
            continue;
        }
        for (struct signal *signal = group->signals; signal; signal = signal->next)
            signal_sweep(signal);
        link = &group->next;
    }
}

struct signal_group *broker_find_group(struct broker *broker, const char *name)
{
    for (struct signal_group *g = broker->groups; g; g = g->next)
        if (!g->dead && strcmp(g->name, name) == 0)
            return g;
    return NULL;
}

struct signal_group *broker_register_group(struct broker *broker, const char *name, void *owner,
                                           struct error *err)
{
    if (!name || !*name) {
        error_set(err, "a signal group needs a name");
        return NULL;
    }
    struct signal_group *taken = broker_find_group(broker, name);
    if (taken) {
        const char *by =
            taken->owner && broker->owner_name ? broker->owner_name(taken->owner) : "emu";
        error_set(err, "signal group '%s' is already provided by %s", name, by);
        return NULL;
    }
    struct signal_group *group = xcalloc(1, sizeof *group);
    group->broker = broker;
    group->name = xstrdup(name);
    group->owner = owner;
    group->next = broker->groups;
    broker->groups = group;
    return group;
}

static void subscription_kill(struct subscription *s)
{
    if (s->dead)
        return;
    struct signal *signal = s->signal;
    s->dead = true;
    signal->group->broker->garbage = true;
    signal->head.subscribers--;
    if (signal->changed)
        signal->changed(signal->changed_self, signal->head.subscribers > 0);
}

void broker_remove_group(struct signal_group *group)
{
    if (!group || group->dead)
        return;
    for (struct signal *signal = group->signals; signal; signal = signal->next)
        for (struct subscription *s = signal->subscriptions; s; s = s->next)
            subscription_kill(s);
    group->dead = true;
    group->broker->garbage = true;
    broker_sweep(group->broker);
}

const char *signal_group_name(const struct signal_group *group)
{
    return group->name;
}

void broker_set_missing_hook(struct broker *broker,
                             bool (*hook)(void *self, const char *group, struct error *err),
                             void *self)
{
    broker->missing = hook;
    broker->missing_self = self;
}

struct signal *signal_resolve(struct signal_group *group, const char *id,
                              const struct payload_type *payload)
{
    struct signal **link = &group->signals;
    for (; *link; link = &(*link)->next) {
        struct signal *signal = *link;
        if (strcmp(signal->id, id) == 0) {
            if (payload)
                signal->payload = payload;
            return signal;
        }
    }
    struct signal *signal = xcalloc(1, sizeof *signal);
    signal->group = group;
    signal->id = xstrdup(id);
    signal->payload = payload;
    *link = signal;
    return signal;
}

const char *signal_name(const struct signal *signal)
{
    return signal->id;
}

const struct payload_type *signal_payload(const struct signal *signal)
{
    return signal->payload;
}

static void subscription_insert(struct signal *signal, struct subscription *s)
{
    struct subscription **link = &signal->subscriptions;
    while (*link && (*link)->priority >= s->priority)
        link = &(*link)->next;
    s->next = *link;
    *link = s;
    signal->head.subscribers++;
    if (signal->changed)
        signal->changed(signal->changed_self, true);
}

struct subscription *broker_subscribe(struct broker *broker, const char *group_name, const char *id,
                                      signal_callback *callback, void *owner,
                                      const struct subscribe_options *options, struct error *err)
{
    struct signal_group *group = broker_find_group(broker, group_name);
    if (!group && broker->missing) {
        if (!broker->missing(broker->missing_self, group_name, err))
            return NULL;
        group = broker_find_group(broker, group_name);
    }
    if (!group) {
        error_set(err, "no plugin provides signal group '%s'", group_name);
        return NULL;
    }
    struct signal *signal = signal_resolve(group, id, NULL);
    char reason[160];
    if (options && options->payload && signal->payload &&
        !payload_compatible(signal->payload, options->payload, reason, sizeof reason)) {
        error_set(err, "cannot subscribe to %s/%s: %s", group_name, id, reason);
        return NULL;
    }
    struct subscription *s = xcalloc(1, sizeof *s);
    s->signal = signal;
    s->callback = callback;
    s->owner = owner;
    s->serial = ++broker->serial;
    if (options) {
        s->callback2 = options->callback2;
        s->context = options->context;
        s->priority = options->priority;
        s->once = options->once;
        s->filter = options->filter;
        s->free_context = options->free_context;
    }
    subscription_insert(signal, s);
    return s;
}

bool broker_unsubscribe(struct broker *broker, const char *group_name, const char *id,
                        signal_callback *callback, void *owner)
{
    struct signal_group *group = broker_find_group(broker, group_name);
    if (!group)
        return false;
    for (struct signal *signal = group->signals; signal; signal = signal->next) {
        if (strcmp(signal->id, id) != 0)
            continue;
        for (struct subscription *s = signal->subscriptions; s; s = s->next) {
            if (!s->dead && s->callback == callback && s->owner == owner) {
                subscription_cancel(s);
                return true;
            }
        }
    }
    return false;
}

void subscription_cancel(struct subscription *s)
{
    struct broker *broker = s->signal->group->broker;
    subscription_kill(s);
    broker_sweep(broker);
}

void broker_drop_owner(struct broker *broker, void *owner)
{
    for (struct signal_group *group = broker->groups; group; group = group->next) {
        bool own_group = group->owner == owner && !group->dead;
        for (struct signal *signal = group->signals; signal; signal = signal->next)
            for (struct subscription *s = signal->subscriptions; s; s = s->next)
                if (own_group || s->owner == owner)
                    subscription_kill(s);
        if (own_group) {
            group->dead = true;
            broker->garbage = true;
        }
    }
    broker_sweep(broker);
}

void signal_set_watch(struct signal *signal, void (*changed)(void *self, bool any), void *self)
{
    signal->changed = changed;
    signal->changed_self = self;
}

struct call {
    const struct subscription *subscription;
    void *data, *cpu;
};

static void call_subscriber(void *self)
{
    const struct call *call = self;
    const struct subscription *s = call->subscription;
    if (s->callback2)
        s->callback2(s->context, call->data, call->cpu);
    else
        s->callback(call->data, call->cpu);
}

void signal_emit_slow(struct signal *signal, void *data, void *cpu)
{
    struct broker *broker = signal->group->broker;
    uint64_t newest = broker->serial;
    void *outer_owner = broker->current_owner;
    signal->emissions++;
    broker->depth++;
    for (struct subscription *s = signal->subscriptions; s; s = s->next) {
        if (s->dead || s->serial > newest || (s->filter && !s->filter(s->context, data, cpu)))
            continue;
        if (s->once)
            subscription_kill(s);
        broker->current_owner = s->owner;
        struct call call = {s, data, cpu};
        uint64_t start = host_ticks();
        if (broker->invoke && s->owner)
            broker->invoke(broker->invoke_self, s->owner, call_subscriber, &call);
        else
            call_subscriber(&call);
        s->ticks += host_ticks() - start;
        s->calls++;
    }
    broker->current_owner = outer_owner;
    broker->depth--;
    broker_sweep(broker);
}

static double emissions_per_second(struct broker *broker, struct signal *signal)
{
    int64_t now = host_nanoseconds();
    int64_t since = signal->seen_time ? signal->seen_time : broker->start_time;
    double rate = 0;
    if (now > since)
        rate = (double)(signal->emissions - signal->seen_emissions) * 1e9 / (double)(now - since);
    signal->seen_time = now;
    signal->seen_emissions = signal->emissions;
    return rate;
}

void broker_for_each(struct broker *broker, void (*fn)(void *self, const struct signal_view *view),
                     void *self)
{
    broker->depth++;
    for (struct signal_group *group = broker->groups; group; group = group->next) {
        if (group->dead)
            continue;
        const char *owner =
            group->owner && broker->owner_name ? broker->owner_name(group->owner) : NULL;
        for (struct signal *signal = group->signals; signal; signal = signal->next) {
            struct signal_view view = {.signal = signal,
                                       .group = group->name,
                                       .id = signal->id,
                                       .owner_name = owner,
                                       .payload = signal->payload,
                                       .subscribers = signal->head.subscribers,
                                       .emissions = signal->emissions,
                                       .per_second = emissions_per_second(broker, signal)};
            fn(self, &view);
        }
    }
    broker->depth--;
    broker_sweep(broker);
}

void signal_for_each_subscriber(struct signal *signal,
                                void (*fn)(void *self, const struct subscriber_view *view),
                                void *self)
{
    struct broker *broker = signal->group->broker;
    uint64_t ticks = host_ticks() - broker->start_ticks;
    double per_tick =
        ticks ? (double)(host_nanoseconds() - broker->start_time) * 1e-9 / (double)ticks : 0;
    broker->depth++;
    for (struct subscription *s = signal->subscriptions; s; s = s->next) {
        if (s->dead)
            continue;
        struct subscriber_view view = {
            .owner_name = s->owner && broker->owner_name ? broker->owner_name(s->owner) : NULL,
            .function = (const void *)(uintptr_t)s->callback,
            .priority = s->priority,
            .once = s->once,
            .filtered = s->filter != NULL,
            .calls = s->calls,
            .seconds = (double)s->ticks * per_tick};
        fn(self, &view);
    }
    broker->depth--;
    broker_sweep(broker);
}

void broker_set_invoker(struct broker *broker,
                        void (*invoke)(void *self, void *owner, void (*fn)(void *arg), void *arg),
                        void *self)
{
    broker->invoke = invoke;
    broker->invoke_self = self;
}

bool broker_has_group(const struct broker *broker, const struct signal_group *group)
{
    for (const struct signal_group *g = broker->groups; g; g = g->next)
        if (g == group)
            return !g->dead;
    return false;
}

void broker_set_owner_namer(struct broker *broker, const char *(*name)(void *owner))
{
    broker->owner_name = name;
}

void *broker_current_owner(const struct broker *broker)
{
    return broker->current_owner;
}

bool broker_is_dispatching(const struct broker *broker)
{
    return broker->depth > 0;
}

void *signal_group_owner(const struct signal_group *group)
{
    return group->owner;
}

struct broker_mark broker_mark(const struct broker *broker)
{
    return (struct broker_mark){broker->depth, broker->current_owner};
}

void broker_unwind(struct broker *broker, struct broker_mark mark)
{
    broker->depth = mark.depth;
    broker->current_owner = mark.owner;
    broker_sweep(broker);
}
