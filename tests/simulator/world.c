// SPDX-License-Identifier: MIT

#include "world.h"

#include "../../common/cleanup.h"
#include "keys.h"
#include "labs.h"
#include "noise.h"

#include <arpa/inet.h>
#include <assert.h>
#include <czmq.h>
#include <errno.h>
#include <string.h>

#define LISTED_AFTER_END_US HOUR_US  //  EC2 lists a terminated instance for about an hour

//  Counted in transitions, for all of a boot grows with the size of the machine.
#define CHECKS_AFTER 4  //  status checks are initializing until then
#define CML_AFTER    1  //  the CML application accepts connections
#define READY_AFTER  2  //  its computes are ready

struct world {
    const curves_t *curves;  //  borrowed
    instance_t *slots;
    bool *used;
    size_t slot_count, slots_max;
    zhash_t *by_id;
    uint64_t seed, serial;
    double speed;
    time_us_t transition_us;
    unsigned cml_ports;
    moment_t started, now;
    char region_text [1024];
    const char *regions [REGIONS_MAX];
    size_t region_count;
    char account_text [256];
    const char *accounts [ACCOUNTS_MAX];
    size_t account_count;
};

static int
split_regions (world_t *self, const char *text, reason_t *why)
{
    char *rest = self->region_text;

    snprintf (self->region_text, sizeof self->region_text, "%s", text);
    for (char *word = strsep (&rest, ", "); word; word = strsep (&rest, ", ")) {
        if (!*word) {
            continue;
        }
        if (self->region_count == REGIONS_MAX) {
            return reason_set (why, -E2BIG, "regions: at most %d", REGIONS_MAX);
        }
        if (strlen (word) > 32 ||
            strspn (word, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen (word)) {
            return reason_set (why, -EINVAL, "regions: '%s' is no region like us-east-1", word);
        }
        self->regions [self->region_count++] = word;
    }
    return self->region_count ? 0 : reason_set (why, -EINVAL, "regions: at least one");
}

static int
split_accounts (world_t *self, const char *text, reason_t *why)
{
    char *rest = self->account_text;

    snprintf (self->account_text, sizeof self->account_text, "%s", text);
    for (char *word; (word = strsep (&rest, ","));) {
        if (self->account_count == ACCOUNTS_MAX) {
            return reason_set (why, -E2BIG, "accounts: at most %d", ACCOUNTS_MAX);
        }
        if (strlen (word) != KEY_ACCOUNT_SIZE - 1 || word [strspn (word, "0123456789")]) {
            return reason_set (why, -EINVAL, "accounts: '%s' is no account: 12 digits", word);
        }
        self->accounts [self->account_count++] = word;
    }
    return 0;
}

//  --- instances come and go

static instance_t *
take_slot (world_t *self, size_t slot)
{
    instance_t *instance = &self->slots [slot];

    do {  //  two numbers of one seed could mix to one id
        instance_identify (instance, slot, self->serial++, self->seed, self->regions,
                           self->region_count);
    } while (zhash_lookup (self->by_id, instance->id));
    instance->account = self->accounts [slot / self->region_count % self->account_count];
    self->used [slot] = true;
    zhash_insert (self->by_id, instance->id, instance);
    if (self->cml_ports > 0) {
        snprintf (instance->cml_port, sizeof instance->cml_port, "%u",
                  self->cml_ports + (unsigned) slot);
    }
    instance_take_address (instance);
    labs_populate (&instance->cml, instance->key, self->now.wall);
    return instance;
}

//  As if it had been started one to eight days ago.
static void
settle (world_t *self, instance_t *instance)
{
    time_us_t age = (time_us_t) (1 + instance->key % 8) * 24 * HOUR_US +
                    (time_us_t) (instance->key % 86400) * SECOND_US;

    instance->state = INSTANCE_RUNNING;
    instance->launched_wall = instance->running_wall = self->now.wall - age;
    instance->running_elapsed = -age;
    instance->monitoring_wall = instance->launched_wall;
}

world_t *
world_new (const world_settings_t *settings, const curves_t *curves, moment_t now, reason_t *why)
{
    _cleanup_ (world_destroy) world_t *self = calloc (1, sizeof *self);

    if (!self) {
        return NULL;
    }
    self->curves = curves;
    self->seed = settings->seed;
    self->speed = settings->speed;
    self->transition_us = settings->transition_us;
    self->cml_ports = settings->cml_ports;
    self->started = self->now = now;
    self->slots_max = settings->instances + WORLD_APPEAR_MAX;
    self->slots = calloc (self->slots_max, sizeof *self->slots);
    self->used = calloc (self->slots_max, sizeof *self->used);
    self->by_id = zhash_new ();
    if (split_regions (self, settings->regions, why) < 0 ||
        split_accounts (self, settings->accounts ? settings->accounts : KEY_ACCOUNT, why) < 0) {
        return NULL;
    }
    if (!self->slots || !self->used || !self->by_id) {
        reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    while (self->slot_count < settings->instances) {
        settle (self, take_slot (self, self->slot_count++));
    }
    return take_ptr (self);
}

void
world_destroy (world_t **self_p)
{
    assert (self_p);

    world_t *self = *self_p;
    if (self) {
        zhash_destroy (&self->by_id);
        free (self->slots);
        free (self->used);
        free (self);
        *self_p = NULL;
    }
}

void
world_vanish (world_t *self, instance_t *instance)
{
    zhash_delete (self->by_id, instance->id);
    self->used [instance->slot] = false;
}

instance_t *
world_appear (world_t *self)
{
    size_t slot = 0;

    while (slot < self->slot_count && self->used [slot]) {
        slot++;
    }
    if (slot == self->slots_max) {
        return NULL;
    }
    self->slot_count += slot == self->slot_count;
    instance_t *instance = take_slot (self, slot);
    instance->monitoring_wall = self->now.wall;
    instance->state = INSTANCE_STOPPED;
    world_order (self, instance, WORLD_START);
    return instance;
}

//  --- states

static void
begin (world_t *self, instance_t *instance, instance_state_t state)
{
    instance->state = state;
    instance->next_elapsed = world_elapsed (self) + self->transition_us;
}

void
world_set_state (world_t *self, instance_t *instance, instance_state_t state)
{
    bool ran = instance->state == INSTANCE_RUNNING, had_address = instance_has_address (instance);

    begin (self, instance, state);
    if (state == INSTANCE_RUNNING || state == INSTANCE_STOPPED) {
        instance->next_elapsed = TIME_UNKNOWN;
    } else if (state == INSTANCE_TERMINATED) {
        instance->next_elapsed = world_elapsed (self) + LISTED_AFTER_END_US;
    }
    if (state == INSTANCE_RUNNING && !ran) {
        instance->running_wall = self->now.wall;
        instance->running_elapsed = world_elapsed (self);
        instance->stopped_wall = TIME_UNKNOWN;
    } else if (state != INSTANCE_RUNNING && ran) {
        instance->stopped_wall = self->now.wall;
        labs_power_off (&instance->cml, self->now.wall);
    }
    if (!had_address && instance_has_address (instance)) {
        instance_take_address (instance);
        instance->launched_wall = self->now.wall;
    }
    instance->state_reason = state == INSTANCE_STOPPING || state == INSTANCE_STOPPED ||
                                     state == INSTANCE_SHUTTING_DOWN || state == INSTANCE_TERMINATED
                                 ? "Client.UserInitiatedShutdown"
                                 : NULL;
}

int
world_order (world_t *self, instance_t *instance, world_order_t order)
{
    //  What each order makes of each state; COUNT: it is refused. The same state: done already.
    static const instance_state_t TO [][INSTANCE_STATE_COUNT] = {
        [WORLD_START] = {[INSTANCE_PENDING] = INSTANCE_PENDING,
                         [INSTANCE_RUNNING] = INSTANCE_RUNNING,
                         [INSTANCE_SHUTTING_DOWN] = INSTANCE_STATE_COUNT,
                         [INSTANCE_TERMINATED] = INSTANCE_STATE_COUNT,
                         [INSTANCE_STOPPING] = INSTANCE_STATE_COUNT,
                         [INSTANCE_STOPPED] = INSTANCE_PENDING},
        [WORLD_STOP] = {[INSTANCE_PENDING] = INSTANCE_STATE_COUNT,
                        [INSTANCE_RUNNING] = INSTANCE_STOPPING,
                        [INSTANCE_SHUTTING_DOWN] = INSTANCE_STATE_COUNT,
                        [INSTANCE_TERMINATED] = INSTANCE_STATE_COUNT,
                        [INSTANCE_STOPPING] = INSTANCE_STOPPING,
                        [INSTANCE_STOPPED] = INSTANCE_STOPPED},
        [WORLD_TERMINATE] = {[INSTANCE_PENDING] = INSTANCE_SHUTTING_DOWN,
                             [INSTANCE_RUNNING] = INSTANCE_SHUTTING_DOWN,
                             [INSTANCE_SHUTTING_DOWN] = INSTANCE_SHUTTING_DOWN,
                             [INSTANCE_TERMINATED] = INSTANCE_TERMINATED,
                             [INSTANCE_STOPPING] = INSTANCE_SHUTTING_DOWN,
                             [INSTANCE_STOPPED] = INSTANCE_SHUTTING_DOWN},
    };
    instance_state_t to = TO [order][instance->state];

    if (to == INSTANCE_STATE_COUNT) {
        return -EINVAL;
    }
    if (to != instance->state) {
        world_set_state (self, instance, to);
    }
    return 0;
}

static void
pass_on (world_t *self, instance_t *instance)
{
    static const instance_state_t NEXT [INSTANCE_STATE_COUNT] = {
        [INSTANCE_PENDING] = INSTANCE_RUNNING,       [INSTANCE_RUNNING] = INSTANCE_RUNNING,
        [INSTANCE_STOPPING] = INSTANCE_STOPPED,      [INSTANCE_SHUTTING_DOWN] = INSTANCE_TERMINATED,
        [INSTANCE_TERMINATED] = INSTANCE_TERMINATED, [INSTANCE_STOPPED] = INSTANCE_STOPPED};

    if (instance->state == INSTANCE_TERMINATED) {
        world_vanish (self, instance);
    } else {
        world_set_state (self, instance, NEXT [instance->state]);
    }
}

static void
end_passing (instance_t *instance, time_us_t elapsed)
{
    check_t *checks [] = {&instance->system_check, &instance->instance_check};

    for (size_t i = 0; i < 2; i++) {
        if (checks [i]->impaired && checks [i]->until_elapsed <= elapsed) {
            checks [i]->impaired = false;
        }
    }
    if (instance->monitoring_changes && instance->monitoring_until_elapsed <= elapsed) {
        instance->monitoring_changes = false;
    }
    if (instance->load_percent > 0 && instance->load_until_elapsed <= elapsed) {
        instance->load_percent = 0;
    }
}

void
world_tick (world_t *self, moment_t now)
{
    self->now = now;
    time_us_t elapsed = world_elapsed (self);

    for (size_t slot = 0; slot < self->slot_count; slot++) {
        instance_t *instance = &self->slots [slot];
        if (!self->used [slot]) {
            continue;
        }
        end_passing (instance, elapsed);
        labs_tick (&instance->cml, elapsed, now.wall);
        if (instance->next_elapsed != TIME_UNKNOWN && instance->next_elapsed <= elapsed) {
            pass_on (self, instance);
        }
    }
}

static time_us_t
until (const world_t *self, time_us_t for_us)
{
    return for_us == WORLD_FOR_EVER ? WORLD_FOR_EVER : world_elapsed (self) + for_us;
}

void
world_impair (world_t *self, check_t *check, time_us_t for_us)
{
    if (!check->impaired) {
        check->since_wall = self->now.wall;
    }
    check->impaired = true;
    check->until_elapsed = until (self, for_us);
}

void
world_mend (instance_t *instance)
{
    instance->system_check.impaired = instance->instance_check.impaired = false;
}

void
world_monitor (world_t *self, instance_t *instance, bool detailed)
{
    if (instance->detailed != detailed) {
        instance->detailed = detailed;
        instance->monitoring_changes = true;
        instance->monitoring_wall = self->now.wall;
        instance->monitoring_until_elapsed = until (self, self->transition_us);
    }
}

void
world_load (world_t *self, instance_t *instance, double percent, time_us_t for_us)
{
    instance->load_percent = percent;
    instance->load_until_elapsed = until (self, for_us);
}

//  --- questions

moment_t
world_now (const world_t *self)
{
    return self->now;
}

time_us_t
world_elapsed (const world_t *self)
{
    return (time_us_t) ((double) (self->now.steady - self->started.steady) * self->speed);
}

double
world_speed (const world_t *self)
{
    return self->speed;
}

time_us_t
world_position (const world_t *self, time_us_t wall)
{
    return world_elapsed (self) - (self->now.wall - wall);
}

const curves_t *
world_curves (const world_t *self)
{
    return self->curves;
}

size_t
world_slots (const world_t *self)
{
    return self->slot_count;
}

instance_t *
world_at (const world_t *self, size_t slot)
{
    return slot < self->slot_count && self->used [slot] ? &self->slots [slot] : NULL;
}

instance_t *
world_find (const world_t *self, const char *id)
{
    return zhash_lookup (self->by_id, id);
}

instance_t *
world_find_name (const world_t *self, const char *name)
{
    for (size_t slot = 0; slot < self->slot_count; slot++) {
        if (self->used [slot] && strcmp (self->slots [slot].name, name) == 0) {
            return &self->slots [slot];
        }
    }
    return NULL;
}

instance_t *
world_find_address (const world_t *self, uint32_t address)
{
    char text [INET_ADDRSTRLEN];
    const struct in_addr in = {.s_addr = address};
    uint32_t low = ntohl (address) & 0xffff;
    instance_t *instance = world_at (self, low - (self->cml_ports > 0 ? self->cml_ports : 1));

    if (self->cml_ports > 0) {
        return instance && instance_has_address (instance) ? instance : NULL;
    }
    inet_ntop (AF_INET, &in, text, sizeof text);
    return instance && strcmp (instance->public_ip, text) == 0 ? instance : NULL;
}

uint64_t
world_coming (const world_t *self, uint64_t next, char id [INSTANCE_ID_SIZE])
{
    instance_t instance;

    instance_identify (&instance, 0, self->serial + next, self->seed, self->regions,
                       self->region_count);
    memcpy (id, instance.id, INSTANCE_ID_SIZE);
    return instance.serial;
}

size_t
world_regions (const world_t *self, const char *const **regions)
{
    *regions = self->regions;
    return self->region_count;
}

size_t
world_accounts (const world_t *self, const char *const **accounts)
{
    *accounts = self->accounts;
    return self->account_count;
}

const char *
world_monitoring (const world_t *self, const instance_t *instance)
{
    (void) self;
    if (instance->monitoring_changes) {
        return instance->detailed ? "pending" : "disabling";
    }
    return instance->detailed ? "enabled" : "disabled";
}

static bool
has_run (const world_t *self, const instance_t *instance, int transitions)
{
    return instance->state == INSTANCE_RUNNING &&
           world_elapsed (self) - instance->running_elapsed >= transitions * self->transition_us;
}

const char *
world_check (const world_t *self, const instance_t *instance, const check_t *check)
{
    if (instance->state != INSTANCE_RUNNING) {
        return instance->state == INSTANCE_PENDING ? "initializing" : "not-applicable";
    }
    if (check->impaired) {
        return "impaired";
    }
    return has_run (self, instance, CHECKS_AFTER) ? "ok" : "initializing";
}

bool
world_cml_answers (const world_t *self, const instance_t *instance)
{
    return has_run (self, instance, CML_AFTER);
}

bool
world_cml_ready (const world_t *self, const instance_t *instance)
{
    return has_run (self, instance, READY_AFTER);
}
