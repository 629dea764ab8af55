// fleet.c - see fleet.h. Workers are found by id in a hash; their order for paging is a
// sorted array that is made again when the set has changed.
//
// SPDX-License-Identifier: MIT

#include "fleet.h"

#include "../common/cleanup.h"
#include "../common/log.h"
#include "announce.h"
#include "fleet_state.h"
#include "tally.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEADLINES_EVERY_MS 250
#define STATS_EVERY_MS     1000

static void
entry_destroy (entry_t **self_p)
{
    if (*self_p) {
        worker_destroy (&(*self_p)->worker);
        history_destroy (&(*self_p)->history);
        free (*self_p);
        *self_p = NULL;
    }
}

entry_t *
fleet_entry (fleet_t *self, const char *id)
{
    return zhashx_lookup (self->entries, id);
}

//  An instance id is unique but for a fault; with it no worker id has to be made, which is a SHA-1.
entry_t *
fleet_entry_of (fleet_t *self, const names_t *names)
{
    entry_t *entry = zhashx_lookup (self->instances, names->instance_id);
    char id [WORKER_ID_SIZE];

    if (entry && strcmp (worker_region (entry->worker), names->region) == 0) {
        return entry;
    }
    worker_id_make (id, names->region, names->instance_id);
    return fleet_entry (self, id);
}

const worker_t *
fleet_find (fleet_t *self, const char *id)
{
    entry_t *entry = fleet_entry (self, id);

    if (!entry) {
        entry = zhashx_lookup (self->instances, id);
    }
    return entry ? entry->worker : NULL;
}

void
fleet_touch (fleet_t *self, entry_t *entry, owed_t owed)
{
    cause_t cause = causes_current (feed_causes (self->feed));

    entry->owed = owed > entry->owed ? owed : entry->owed;
    entry->cause = cause ? cause : entry->cause;
    if (entry->touched) {
        return;
    }
    if (self->touched_count == self->touched_size) {
        size_t size = self->touched_size ? self->touched_size * 2 : 64;
        entry_t **touched = realloc (self->touched, size * sizeof (entry_t *));
        assert (touched && "a pointer for each worker of a turn");
        self->touched = touched;
        self->touched_size = size;
    }
    entry->touched = true;
    self->touched [self->touched_count++] = entry;
}

static void
insert (fleet_t *self, entry_t *entry)
{
    worker_set_rules (entry->worker, &self->settings->rules);
    zhashx_insert (self->entries, worker_id (entry->worker), entry);
    zhashx_insert (self->instances, worker_instance_id (entry->worker), entry);
    self->sorted_stale = true;
    self->revision++;
}

entry_t *
fleet_add (fleet_t *self, const names_t *names, time_us_t at, reason_t *why)
{
    if (zhashx_size (self->entries) >= (size_t) self->settings->workers_max) {
        metric_increment (self->refused);
        reason_set (why, -ENOSPC, "%s/%s: there are %lld workers already (workers_max)",
                    names->region, names->instance_id, (long long) self->settings->workers_max);
        return NULL;
    }
    _cleanup_ (entry_destroy) entry_t *entry = calloc (1, sizeof *entry);
    if (!entry || !(entry->worker = worker_new (names->region, names->instance_id, at))) {
        reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    insert (self, entry);
    return take_ptr (entry);
}

typedef struct saving {
    store_t *store;
    const char *worker_id;
} saving_t;

static void
save_block (void *argument, const char *name, const void *bytes, size_t size)
{
    const saving_t *saving = argument;
    char key [WORKER_ID_SIZE + 1 + HISTORY_NAME_SIZE];

    snprintf (key, sizeof key, "%s|%s", saving->worker_id, name);
    store_put (saving->store, STORE_SAMPLES, key, bytes, size);
}

static void
save (fleet_t *self, entry_t *entry, worker_text_t written)
{
    saving_t saving = {self->store, worker_id (entry->worker)};

    if (self->store) {
        worker_save (entry->worker, written,
                     store_begin (self->store, STORE_WORKERS, saving.worker_id));
        store_end (self->store);
        if (entry->history) {
            history_save (entry->history, false, save_block, &saving);
        }
    }
}

//  At the end, also the samples of the minute that is not over.
static void
on_drain (void *argument)
{
    fleet_t *self = argument;

    for (entry_t *entry = zhashx_first (self->entries); entry && self->store;
         entry = zhashx_next (self->entries)) {
        saving_t saving = {self->store, worker_id (entry->worker)};
        if (entry->history) {
            history_save (entry->history, true, save_block, &saving);
        }
    }
}

static void
delete_block (void *store, const char *key, const void *bytes, size_t size)
{
    (void) bytes, (void) size;
    store_delete (store, STORE_SAMPLES, key);
}

static void
forget_rows (fleet_t *self, const char *id)
{
    char prefix [WORKER_ID_SIZE + 1];
    reason_t why;

    if (self->store) {
        snprintf (prefix, sizeof prefix, "%s|", id);
        store_delete (self->store, STORE_WORKERS, id);
        (void) store_each (self->store, STORE_SAMPLES, prefix, delete_block, self->store, &why);
    }
}

void
fleet_settle (fleet_t *self)
{
    for (size_t i = 0; i < self->touched_count; i++) {
        entry_t *entry = self->touched [i];
        causes_enter (feed_causes (self->feed), entry->cause);
        worker_text_t written = {0};
        if (entry->owed == OWED_SNAPSHOT) {
            written = feed_snapshot (self->feed, entry->worker, "metrics_collected");
        } else if (entry->owed == OWED_STATE) {
            written = feed_state (self->feed, entry->worker);
        }
        save (self, entry, written);
        if (self->watch) {
            self->watch (self->watcher, entry->worker, false);
        }
        entry->owed = OWED_NOTHING;
        entry->cause = 0;
        entry->touched = false;
    }
    causes_enter (feed_causes (self->feed), 0);
    self->touched_count = 0;
    feed_flush (self->feed);
}

void
fleet_watch (fleet_t *self, fleet_watch_fn *fn, void *argument)
{
    self->watch = fn;
    self->watcher = argument;
}

static void
on_turn_end (void *argument)
{
    fleet_settle (argument);
}

typedef struct restoring {
    fleet_t *fleet;
    reason_t why;
    size_t failed;
} restoring_t;

static void
restore_worker (void *argument, const char *id, const void *bytes, size_t size)
{
    restoring_t *restoring = argument;
    fleet_t *self = restoring->fleet;
    _cleanup_ (entry_destroy) entry_t *entry = calloc (1, sizeof *entry);
    reason_t why = {0};

    if (!entry ||
        !(entry->worker = worker_restore (bytes, size, loop_now (self->loop).steady, &why)) ||
        strcmp (worker_id (entry->worker), id) != 0) {
        restoring->failed++;
        reason_set (&restoring->why, -EBADMSG, "the row of worker %s: %.300s", id,
                    entry && entry->worker ? "it is of another" : why.text);
        return;
    }
    insert (self, take_ptr (entry));
}

int
fleet_restore (fleet_t *self, reason_t *why)
{
    restoring_t restoring = {.fleet = self};
    int rc = self->store
                 ? store_each (self->store, STORE_WORKERS, "", restore_worker, &restoring, why)
                 : 0;

    if (rc == 0 && restoring.failed > 0) {
        return reason_set (why, -EBADMSG, "store: %zu workers cannot be read; the last: %.400s",
                           restoring.failed, restoring.why.text);
    }
    fleet_forget_future (self, loop_now (self->loop).wall);
    return rc;
}

static int
by_id (const void *a, const void *b)
{
    const entry_t *const *first = a, *const *second = b;
    return strcmp (worker_id ((*first)->worker), worker_id ((*second)->worker));
}

static void
sort (fleet_t *self)
{
    size_t count = zhashx_size (self->entries), at = 0;
    entry_t **sorted = realloc (self->sorted, (count + 1) * sizeof (entry_t *));

    if (!sorted) {
        return;  //  the old order stands, and is tried again
    }
    for (entry_t *entry = zhashx_first (self->entries); entry;
         entry = zhashx_next (self->entries)) {
        sorted [at++] = entry;
    }
    qsort (sorted, count, sizeof (entry_t *), by_id);
    self->sorted = sorted;
    self->sorted_count = count;
    self->sorted_stale = false;
}

const worker_t *
fleet_next (fleet_t *self, const char *after)
{
    if (self->sorted_stale) {
        sort (self);
    }
    size_t low = 0, high = self->sorted_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp (worker_id (self->sorted [middle]->worker), after) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < self->sorted_count ? self->sorted [low]->worker : NULL;
}

size_t
fleet_size (const fleet_t *self)
{
    return zhashx_size (self->entries);
}

uint64_t
fleet_revision (const fleet_t *self)
{
    return self->revision;
}

static void
remove_entry (fleet_t *self, entry_t *entry)
{
    char id [WORKER_ID_SIZE];

    memcpy (id, worker_id (entry->worker), sizeof id);
    if (self->watch) {
        self->watch (self->watcher, entry->worker, true);
    }
    feed_gone (self->feed, entry->worker);
    forget_rows (self, id);
    if (zhashx_lookup (self->instances, worker_instance_id (entry->worker)) == entry) {
        zhashx_delete (self->instances, worker_instance_id (entry->worker));
    }
    self->sorted_stale = true;
    self->revision++;
    zhashx_delete (self->entries, id);
}

//  Silent sources become stale; true when the worker's time in the state is over.
static bool
check_deadlines (fleet_t *self, entry_t *entry, moment_t now)
{
    while (worker_stale_at (entry->worker) <= now.steady) {
        worker_change_t change = worker_become_stale (entry->worker, now);
        fleet_tell (self, entry, &change, false);
    }
    time_us_t terminated = worker_snapshot (entry->worker).terminated_at;
    return worker_status (entry->worker) == WORKER_TERMINATED && !entry->touched &&
           now.wall - terminated > self->settings->terminated_keep_minutes * MINUTE_US;
}

static void
on_deadlines (void *argument)
{
    fleet_t *self = argument;
    moment_t now = loop_now (self->loop);

    if (self->sorted_stale) {
        sort (self);
    }
    for (size_t i = 0; i < self->sorted_count; i++) {
        if (check_deadlines (self, self->sorted [i], now)) {
            remove_entry (self, self->sorted [i]);
        }
    }
}

static tally_t
count (fleet_t *self)
{
    tally_t tally = {0};

    if (self->sorted_stale) {
        sort (self);
    }
    for (size_t i = 0; i < self->sorted_count; i++) {
        tally_add (&tally, self->sorted [i]->worker);
    }
    return tally;
}

broker_t *
fleet_broker (const fleet_t *self)
{
    return self->broker;
}

void
fleet_write_stats (fleet_t *self, json_writer_t *json)
{
    tally_t tally = count (self);

    tally_write (&tally, json);
    broker_write_stats (self->broker, json);
    collectors_write (self->collectors, json);
}

static void
on_stats (void *argument)
{
    fleet_t *self = argument;
    buffer_t text = {0};
    json_writer_t json = json_writer (&text);

    collectors_look (self->collectors, loop_now (self->loop).steady);
    json_open_object (&json);
    fleet_write_stats (self, &json);
    json_close_object (&json);
    if (!self->told_stats.data || strcmp (self->told_stats.data, text.data) != 0) {
        fleet_write_stats (self, feed_begin (self->feed, EVENT_SYSTEM_STATS, NULL, NULL));
        feed_end (self->feed);
        buffer_clear (&self->told_stats);
        self->told_stats = text;
    } else {
        buffer_clear (&text);
    }
}

fleet_t *
fleet_new (loop_t *loop, feed_t *feed, broker_t *broker, store_t *store,
           const fleet_settings_t *settings, metrics_t *metrics, reason_t *why)
{
    _cleanup_ (fleet_destroy) fleet_t *self = calloc (1, sizeof *self);

    if (!self || !(self->deadlines = loop_timer_new (loop, on_deadlines, self)) ||
        !(self->stats = loop_timer_new (loop, on_stats, self)) ||
        !(self->collectors = collectors_new ()) || !(self->entries = zhashx_new ()) ||
        !(self->instances = zhashx_new ())) {
        reason_set (why, -ENOMEM, "fleet: out of memory");
        return NULL;
    }
    self->loop = loop;
    self->feed = feed;
    self->broker = broker;
    self->store = store;
    self->settings = settings;
    zhashx_set_destructor (self->entries, (zhashx_destructor_fn *) entry_destroy);
    self->refused = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_workers_refused_total",
                                 "Instances not taken because workers_max was reached");
    self->set_back = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_clock_set_back_total",
                                  "Times this machine's clock was set back by more than a second");
    loop_timer_every (self->deadlines, DEADLINES_EVERY_MS * MS_US);
    loop_timer_every (self->stats, STATS_EVERY_MS * MS_US);
    loop_on_turn_end (loop, on_turn_end, self);
    loop_on_drain (loop, on_drain, self);
    return take_ptr (self);
}

void
fleet_destroy (fleet_t **self_p)
{
    assert (self_p);
    fleet_t *self = *self_p;

    if (self) {
        if (self->loop) {
            loop_forget (self->loop, self);
        }
        loop_timer_destroy (&self->deadlines);
        loop_timer_destroy (&self->stats);
        collectors_destroy (&self->collectors);
        zhashx_destroy (&self->instances);
        zhashx_destroy (&self->entries);
        free (self->sorted);
        free (self->touched);
        buffer_clear (&self->told_stats);
        free (self);
        *self_p = NULL;
    }
}
