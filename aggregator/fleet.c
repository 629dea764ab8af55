// fleet.c - see fleet.h. Workers are found by id in a hash; their order for paging is a
// sorted array that is made again when the set has changed.
//
// SPDX-License-Identifier: MIT

#include "fleet.h"

#include "../common/cleanup.h"
#include "../common/log.h"
#include "../common/worker_id.h"
#include "announce.h"
#include "tally.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEADLINES_EVERY_MS 250
#define STATS_EVERY_MS     1000
#define NAME_BYTES_MAX     63  //  of a region and of an instance id

typedef struct names {
    char region [NAME_BYTES_MAX + 1], instance_id [NAME_BYTES_MAX + 1];
} names_t;

typedef struct entry {
    worker_t *worker;
    const char *reason;  //  of the snapshot due at the turn's end; null: none
    bool touched;        //  stands in the list of the turn
} entry_t;

struct fleet {
    loop_t *loop;
    feed_t *feed;
    fleet_settings_t settings;
    zhashx_t *entries;  //  by worker id
    entry_t **sorted;
    size_t sorted_count;
    bool sorted_stale;
    entry_t **touched;
    size_t touched_count, touched_size;
    uint64_t revision;
    loop_timer_t *deadlines, *stats;
    buffer_t told_stats;
    metrics_t *metrics;
    metric_t *refused;
};

static void
entry_destroy (entry_t **self_p)
{
    if (*self_p) {
        worker_destroy (&(*self_p)->worker);
        free (*self_p);
        *self_p = NULL;
    }
}

static void
touch (fleet_t *self, entry_t *entry, const char *reason)
{
    //  The first reason of a turn stands: created before status, status before metrics.
    if (reason && (!entry->reason || strcmp (entry->reason, "metrics_collected") == 0)) {
        entry->reason = reason;
    }
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

//  Region and instance id also stand in topics and keys, where '|' parts and length is bounded.
static int
names_of (const observation_t *observation, names_t *names, reason_t *why)
{
    const char *subject = observation->envelope.subject, *slash = strchr (subject, '/');
    size_t size = slash ? (size_t) (slash - subject) : 0;

    if (size == 0 || !slash [1] || strchr (subject, '|') || size >= sizeof names->region ||
        strlen (slash + 1) >= sizeof names->instance_id) {
        return reason_set (why, -EINVAL,
                           "'subject' is '%.80s', it must be <region>/<instance id>, each of "
                           "1 to %d bytes without '|'",
                           subject, NAME_BYTES_MAX);
    }
    snprintf (names->region, sizeof names->region, "%.*s", (int) size, subject);
    snprintf (names->instance_id, sizeof names->instance_id, "%s", slash + 1);
    return 0;
}

static entry_t *
add_entry (fleet_t *self, const names_t *names, time_us_t at, reason_t *why)
{
    if (zhashx_size (self->entries) >= (size_t) self->settings.workers_max) {
        metric_increment (self->refused);
        reason_set (why, -ENOSPC, "%s/%s: there are %lld workers already (workers_max)",
                    names->region, names->instance_id, (long long) self->settings.workers_max);
        return NULL;
    }
    _cleanup_ (entry_destroy) entry_t *entry = calloc (1, sizeof *entry);
    if (!entry || !(entry->worker = worker_new (names->region, names->instance_id, at))) {
        reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    zhashx_insert (self->entries, worker_id (entry->worker), entry);
    self->sorted_stale = true;
    self->revision++;
    return take_ptr (entry);
}

static entry_t *
find_entry (fleet_t *self, const observation_t *observation, reason_t *why)
{
    char id [WORKER_ID_SIZE];
    names_t names;

    if (names_of (observation, &names, why) < 0) {
        return NULL;
    }
    worker_id_make (id, names.region, names.instance_id);
    entry_t *entry = zhashx_lookup (self->entries, id);
    if (!entry) {
        reason_set (why, -ENOENT, "%s/%s: no instance.observed has told of this worker yet",
                    names.region, names.instance_id);
    }
    return entry;
}

//  Tells of a change; the round's snapshot is due when round is true.
static void
tell (fleet_t *self, entry_t *entry, const worker_change_t *change, bool round)
{
    bool status = change->old_status != worker_status (entry->worker);

    if (change->verdict != WORKER_APPLIED) {
        return;
    }
    announce_change (self->feed, entry->worker, change);
    self->revision += status || field_set_has_group (&change->fields, SNAPSHOT_GROUP_DETAILS);
    touch (self, entry,
           status  ? (worker_status (entry->worker) == WORKER_TERMINATED ? "terminated"
                                                                         : "status_updated")
           : round ? "metrics_collected"
                   : NULL);
}

static void
note_speech (fleet_t *self, entry_t *entry, const worker_change_t *change, int64_t seconds)
{
    worker_spoke (entry->worker, change, seconds, loop_now (self->loop).steady);
}

int
fleet_apply_instance (fleet_t *self, const observation_t *observation, reason_t *why)
{
    const instance_observed_t *seen = &observation->instance_observed;
    char id [WORKER_ID_SIZE];
    names_t names;

    int rc = names_of (observation, &names, why);
    if (rc < 0) {
        return rc;
    }
    worker_id_make (id, names.region, names.instance_id);
    entry_t *entry = zhashx_lookup (self->entries, id);
    bool created = entry == NULL;
    if (created && !(entry = add_entry (self, &names, observation->envelope.time, why))) {
        return -ENOSPC;
    }
    worker_change_t change = worker_update_ec2 (entry->worker, seen, observation->envelope.time);
    note_speech (self, entry, &change, seen->interval_seconds);
    if (created) {
        //  Everything about it is new: one event says so, and the snapshot has the rest.
        announce_created (self->feed, entry->worker);
        touch (self, entry, "created");
    } else {
        tell (self, entry, &change, true);
    }
    return 0;
}

int
fleet_apply_gone (fleet_t *self, const observation_t *observation, reason_t *why)
{
    entry_t *entry = find_entry (self, observation, why);

    if (!entry) {
        return -ENOENT;
    }
    worker_change_t change = worker_terminate (entry->worker, observation->envelope.time);
    tell (self, entry, &change, false);
    return 0;
}

int
fleet_apply_utilization (fleet_t *self, const observation_t *observation, reason_t *why)
{
    entry_t *entry = find_entry (self, observation, why);

    if (!entry) {
        return -ENOENT;
    }
    const utilization_observed_t *seen = &observation->utilization_observed;
    worker_change_t change =
        worker_update_cloudwatch (entry->worker, seen, observation->envelope.time);
    note_speech (self, entry, &change, seen->interval_seconds);
    tell (self, entry, &change, true);
    return 0;
}

int
fleet_apply_system (fleet_t *self, const observation_t *observation, reason_t *why)
{
    entry_t *entry = find_entry (self, observation, why);

    if (!entry) {
        return -ENOENT;
    }
    const system_observed_t *seen = &observation->system_observed;
    worker_change_t change = worker_update_cml (entry->worker, seen, observation->envelope.time);
    note_speech (self, entry, &change, seen->interval_seconds);
    tell (self, entry, &change, true);
    return 0;
}

int
fleet_apply_labs (fleet_t *self, const observation_t *observation, reason_t *why)
{
    entry_t *entry = find_entry (self, observation, why);

    if (!entry) {
        return -ENOENT;
    }
    worker_change_t change =
        worker_update_labs (entry->worker, &observation->labs_observed, observation->envelope.time);
    if (change.labs) {
        tell (self, entry, &change, false);
    }
    return 0;
}

int
fleet_apply_lab_state (fleet_t *self, const observation_t *observation, reason_t *why)
{
    entry_t *entry = find_entry (self, observation, why);

    if (!entry) {
        return -ENOENT;
    }
    announce_lab_state (self->feed, entry->worker, &observation->lab_state_changed);
    return 0;
}

int
fleet_apply_activity (fleet_t *self, const observation_t *observation, reason_t *why)
{
    entry_t *entry = find_entry (self, observation, why);

    if (!entry) {
        return -ENOENT;
    }
    worker_change_t change = worker_update_activity (entry->worker, &observation->activity_observed,
                                                     observation->envelope.time);
    tell (self, entry, &change, false);
    return 0;
}

static void
on_turn_end (void *argument)
{
    fleet_t *self = argument;

    for (size_t i = 0; i < self->touched_count; i++) {
        entry_t *entry = self->touched [i];
        if (entry->reason) {
            feed_snapshot (self->feed, entry->worker, entry->reason);
        } else {
            feed_state (self->feed, entry->worker);
        }
        entry->reason = NULL;
        entry->touched = false;
    }
    self->touched_count = 0;
    feed_flush (self->feed);
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
    feed_gone (self->feed, entry->worker);
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
        tell (self, entry, &change, false);
    }
    time_us_t terminated = worker_snapshot (entry->worker).terminated_at;
    return worker_status (entry->worker) == WORKER_TERMINATED && !entry->touched &&
           now.wall - terminated > self->settings.terminated_keep_minutes * MINUTE_US;
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

void
fleet_write_stats (fleet_t *self, json_writer_t *json)
{
    tally_t tally = count (self);

    tally_write (&tally, json);
}

static void
on_stats (void *argument)
{
    fleet_t *self = argument;
    buffer_t text = {0};
    json_writer_t json = json_writer (&text);

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

static void
on_collect (void *argument)
{
    fleet_t *self = argument;
    tally_t tally = count (self);

    for (int status = 0; status < WORKER_STATUS_COUNT; status++) {
        metric_set (
            metrics_with (self->metrics, METRIC_GAUGE, "cmlwatch_workers", "Workers by status",
                          METRIC_LABELS ("status", worker_status_name ((worker_status_t) status))),
            (double) tally.by_status [status]);
    }
}

fleet_t *
fleet_new (loop_t *loop, feed_t *feed, const fleet_settings_t *settings, metrics_t *metrics,
           reason_t *why)
{
    _cleanup_ (fleet_destroy) fleet_t *self = calloc (1, sizeof *self);

    if (!self || !(self->deadlines = loop_timer_new (loop, on_deadlines, self)) ||
        !(self->stats = loop_timer_new (loop, on_stats, self)) ||
        !(self->entries = zhashx_new ())) {
        reason_set (why, -ENOMEM, "fleet: out of memory");
        return NULL;
    }
    self->loop = loop;
    self->feed = feed;
    self->settings = *settings;
    self->metrics = metrics;
    zhashx_set_destructor (self->entries, (zhashx_destructor_fn *) entry_destroy);
    self->refused = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_workers_refused_total",
                                 "Instances not taken because workers_max was reached");
    metrics_on_collect (metrics, on_collect, self);
    loop_timer_every (self->deadlines, DEADLINES_EVERY_MS * MS_US);
    loop_timer_every (self->stats, STATS_EVERY_MS * MS_US);
    loop_on_turn_end (loop, on_turn_end, self);
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
        zhashx_destroy (&self->entries);
        free (self->sorted);
        free (self->touched);
        buffer_clear (&self->told_stats);
        free (self);
        *self_p = NULL;
    }
}
