// SPDX-License-Identifier: MIT

#include "unit.h"

#include "../../common/cleanup.h"
#include "../../common/log.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INTERVAL_LEAST_MS 50

struct unit_table {
    const collector_source_t *source;      //  borrowed
    void *state;                           //  the source's
    const collector_settings_t *settings;  //  borrowed
    schedule_t *schedule;                  //  borrowed
    zhashx_t *units;                       //  by key
};

unit_table_t *
unit_table_new (const collector_source_t *source, void *state, const collector_settings_t *settings,
                schedule_t *schedule)
{
    unit_table_t *self = calloc (1, sizeof *self);
    if (self) {
        self->source = source;
        self->state = state;
        self->settings = settings;
        self->schedule = schedule;
        self->units = zhashx_new ();
    }
    return self;
}

static void
unit_destroy (unit_t **self_p)
{
    unit_t *self = take_ptr (*self_p);

    if (self) {
        leased_worker_release (&self->round.worker);
        leased_worker_release (&self->worker);
        free (self->memory);
        free (self->account);
        free (self->region);
        free (self->key);
        free (self);
    }
}

static void
clear_memory (unit_table_t *self, unit_t *unit)
{
    if (unit->memory) {
        if (self->source->unit_clear) {
            self->source->unit_clear (self->state, unit->memory);
        }
        memset (unit->memory, 0, self->source->unit_size);
    }
}

void
unit_table_clear (unit_table_t *self)
{
    for (unit_t *unit = zhashx_first (self->units); unit; unit = zhashx_next (self->units)) {
        clear_memory (self, unit);
    }
}

void
unit_table_destroy (unit_table_t **self_p)
{
    assert (self_p);

    unit_table_t *self = *self_p;
    if (self) {
        for (unit_t *unit = zhashx_first (self->units); unit; unit = zhashx_next (self->units)) {
            schedule_remove (self->schedule, &unit->item);
            unit_destroy (&unit);
        }
        zhashx_destroy (&self->units);
        free (self);
        *self_p = NULL;
    }
}

unit_t *
unit_of (schedule_item_t *item)
{
    return (unit_t *) (void *) ((char *) item - offsetof (unit_t, item));
}

unit_t *
unit_table_find (unit_table_t *self, const char *key)
{
    return zhashx_lookup (self->units, key);
}

size_t
unit_table_count (const unit_table_t *self)
{
    return zhashx_size (self->units);
}

static time_us_t
interval_us (const unit_table_t *self, const char *region)
{
    int64_t ms =
        self->source->unit_interval_ms ? self->source->unit_interval_ms (self->state, region) : 0;

    ms = ms > 0 ? ms : self->settings->interval_ms;
    return (ms > INTERVAL_LEAST_MS ? ms : INTERVAL_LEAST_MS) * MS_US;
}

static unit_t *
unit_new (const unit_table_t *self, const char *key, const char *region, const char *account)
{
    _cleanup_ (unit_destroy) unit_t *unit = calloc (1, sizeof *unit);
    if (!unit) {
        return NULL;
    }
    unit->key = strdup (key);
    unit->region = strdup (region);
    unit->account = strdup (account);
    unit->round = (struct collector_round){.magic = ROUND_MAGIC, .unit = unit};
    if (self->source->unit_size > 0) {
        unit->memory = calloc (1, self->source->unit_size);
    }
    if (!unit->key || !unit->region || !unit->account ||
        (self->source->unit_size > 0 && !unit->memory)) {
        return NULL;
    }
    return take_ptr (unit);
}

static void
lease_unit (unit_table_t *self, const char *key, const char *region, const char *account,
            leased_worker_t *worker, time_us_t now)
{
    unit_t *unit = zhashx_lookup (self->units, key);

    if (!unit) {
        unit = unit_new (self, key, region, account);
        if (!unit || schedule_add (self->schedule, &unit->item, interval_us (self, region), now)) {
            log_error ("unit left out: out of memory", LOG_TEXT ("unit", key));
            unit_destroy (&unit);
            return;
        }
        zhashx_insert (self->units, key, unit);
    }
    unit->leased = true;
    leased_worker_release (&unit->worker);
    unit->worker = worker ? leased_worker_hold (worker) : NULL;
}

static void
drop (unit_table_t *self, unit_t *unit)
{
    clear_memory (self, unit);
    schedule_remove (self->schedule, &unit->item);
    zhashx_delete (self->units, unit->key);
    unit_destroy (&unit);
}

//  A round or a job still needs it.
static bool
is_needed (const unit_t *unit)
{
    return unit->leased || unit->item.running || unit->jobs > 0;
}

static void
drop_those_not_leased (unit_table_t *self)
{
    zlistx_t *keys = zhashx_keys (self->units);

    for (char *key = zlistx_first (keys); key; key = zlistx_next (keys)) {
        unit_t *unit = zhashx_lookup (self->units, key);
        if (!is_needed (unit)) {
            drop (self, unit);
        }
    }
    zlistx_destroy (&keys);
}

//  "<region> <account>"; the region alone for the only account.
static char *
make_key (const char *region, const char *account)
{
    char *key = NULL;

    return asprintf (&key, *account ? "%s %s" : "%s", region, account) < 0 ? NULL : key;
}

//  A unit for each account that reads it: one that fails, or is slow, is not the others' delay.
static void
lease_region (unit_table_t *self, const char *region, time_us_t now)
{
    const collector_source_t *source = self->source;
    size_t count = 0;
    const char *const *accounts =
        source->accounts ? source->accounts (self->state, region, &count) : NULL;

    if (count == 0) {
        lease_unit (self, region, region, "", NULL, now);
    }
    for (size_t i = 0; i < count; i++) {
        //  -fanalyzer: there is a count only with a list
        _cleanup_ (string_destroy) char *key = make_key (region, accounts [i]);
        if (!key) {
            log_error ("unit left out: out of memory", LOG_TEXT ("unit", region));
            continue;
        }
        //  -fanalyzer: see above
        lease_unit (self, key, region, accounts [i], NULL, now);
    }
}

void
unit_table_make_due (unit_table_t *self, const char *key, time_us_t now)
{
    unit_t *own = zhashx_lookup (self->units, key);

    if (own) {
        schedule_make_due (self->schedule, &own->item, now);
    }
    if (self->source->reads != COLLECTOR_READS_REGIONS) {
        return;
    }
    for (unit_t *unit = zhashx_first (self->units); unit; unit = zhashx_next (self->units)) {
        if (unit != own && strcmp (unit->region, key) == 0) {
            schedule_make_due (self->schedule, &unit->item, now);
        }
    }
}

unit_t *
unit_table_hold (unit_table_t *self, const char *subject, const char *region, const char *account)
{
    bool regions = self->source->reads == COLLECTOR_READS_REGIONS;
    _cleanup_ (string_destroy) char *key = regions ? make_key (region, account) : strdup (subject);
    unit_t *unit = key ? zhashx_lookup (self->units, key) : NULL;

    if (!unit || !unit->leased) {
        return NULL;
    }
    unit->jobs++;
    return unit;
}

void
unit_table_let_go (unit_table_t *self, unit_t *unit)
{
    assert (unit->jobs > 0);

    unit->jobs--;
    if (!is_needed (unit)) {
        drop (self, unit);
    }
}

void
unit_table_update (unit_table_t *self, const lease_list_t *list, time_us_t now)
{
    for (unit_t *unit = zhashx_first (self->units); unit; unit = zhashx_next (self->units)) {
        unit->leased = false;
    }
    if (self->source->reads == COLLECTOR_READS_REGIONS) {
        for (size_t i = 0; i < list->regions_count; i++) {
            lease_region (self, list->regions [i], now);
        }
    } else {
        for (size_t i = 0; i < list->workers_count; i++) {
            leased_worker_t *worker = list->workers [i];
            lease_unit (self, worker->subject, worker->worker.region, "", worker, now);
        }
    }
    drop_those_not_leased (self);
}

void
unit_table_forget (unit_table_t *self)
{
    if (!self->source->unit_forget) {
        return;
    }
    for (unit_t *unit = zhashx_first (self->units); unit; unit = zhashx_next (self->units)) {
        if (unit->memory) {
            self->source->unit_forget (self->state, unit->memory);
        }
    }
}

size_t
unit_table_unread (unit_table_t *self)
{
    size_t count = 0;

    for (unit_t *unit = zhashx_first (self->units); unit; unit = zhashx_next (self->units)) {
        count += unit->rounds == 0;
    }
    return count;
}

void
unit_table_release (unit_table_t *self, unit_t *unit, time_us_t now)
{
    unit->rounds++;
    schedule_done (self->schedule, &unit->item);
    if (!is_needed (unit)) {
        drop (self, unit);
    } else {
        schedule_set_interval (self->schedule, &unit->item, interval_us (self, unit->region), now);
    }
}
