// fleet_apply.c - what each observation and each command does; see fleet.h.
//
// SPDX-License-Identifier: MIT

#include "../common/log.h"
#include "announce.h"
#include "fleet_state.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

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
    memcpy (names->region, subject, size);
    names->region [size] = '\0';
    memcpy (names->instance_id, slash + 1, strlen (slash + 1) + 1);
    return 0;
}

static entry_t *
find_entry (fleet_t *self, const observation_t *observation, reason_t *why)
{
    names_t names;

    if (names_of (observation, &names, why) < 0) {
        return NULL;
    }
    entry_t *entry = fleet_entry_of (self, &names);
    if (!entry) {
        reason_set (why, -ENOENT, "%s/%s: no instance.observed has told of this worker yet",
                    names.region, names.instance_id);
    }
    return entry;
}

static void
keep_samples (fleet_t *self, entry_t *entry, const worker_change_t *change)
{
    //  What is told while it does not run is not a load of its.
    if (worker_status (entry->worker) != WORKER_RUNNING) {
        return;
    }
    history_t *history = fleet_samples (self, entry);
    if (history) {
        snapshot_t snapshot = worker_snapshot (entry->worker);
        history_put (history, &snapshot, change->at);
    }
}

//  W8. What the digest covers (common/digest.h).
static bool
counts_in_digest (const field_set_t *fields)
{
    return field_set_next (fields, 0) < SNAPSHOT_ec2_freshness;
}

void
fleet_tell (fleet_t *self, entry_t *entry, const worker_change_t *change, bool round)
{
    bool status = change->old_status != worker_status (entry->worker);

    if (change->verdict != WORKER_APPLIED) {
        return;
    }
    if (status) {
        //  Replicas know it before anyone is told: who hears of it and asks a gateway, finds it.
        feed_state (self->feed, entry->worker);
    }
    announce_change (self->feed, entry->worker, change);
    if (status) {
        bool over = worker_status (entry->worker) == WORKER_TERMINATED;
        feed_snapshot (self->feed, entry->worker, over ? "terminated" : "status_updated");
    }
    fleet_touch (self, entry,
                 status                                        ? OWED_NOTHING
                 : round || counts_in_digest (&change->fields) ? OWED_SNAPSHOT
                                                               : OWED_STATE);
    announce_activity (self->feed, entry->worker, change);
    self->revision +=
        status || change->account || field_set_has_group (&change->fields, SNAPSHOT_GROUP_DETAILS);
    keep_samples (self, entry, change);
    fleet_follow_idleness (self, entry, change);
    if (status || change->old_service != worker_service (entry->worker)) {
        broker_follow_worker (self->broker, entry->worker);
    }
}

//  The round of a source: it spoke, which moves its deadline, and clients get a snapshot.
static void
tell_round (fleet_t *self, entry_t *entry, const worker_change_t *change, int64_t interval_seconds)
{
    worker_spoke (entry->worker, change, interval_seconds, loop_now (self->loop).steady);
    fleet_tell (self, entry, change, true);
}

//  A worker that is over before we ever heard of it is not one of the fleet: EC2 lists a
//  terminated instance for an hour, longer than we may keep it.
static bool
is_over (const instance_observed_t *seen)
{
    return seen->state && strcmp (seen->state, worker_status_name (WORKER_TERMINATED)) == 0;
}

//  Where an instance is told of by another than EC2: a CML that its collector was configured with.
static worker_change_t
update_instance (worker_t *worker, const observation_t *observation)
{
    const instance_observed_t *seen = &observation->instance_observed;
    char kind [ENVELOPE_KIND_SIZE] = "";

    (void) envelope_source_kind (observation->envelope.source, kind);
    return strcmp (kind, "cml") == 0
               ? worker_update_listed (worker, seen, observation->envelope.time)
               : worker_update_ec2 (worker, seen, observation->envelope.time);
}

static int
create (fleet_t *self, const names_t *names, const observation_t *observation, reason_t *why)
{
    const instance_observed_t *seen = &observation->instance_observed;

    if (is_over (seen)) {
        return 0;
    }
    entry_t *entry = fleet_add (self, names, observation->envelope.time, why);
    if (!entry) {
        return -ENOSPC;
    }
    worker_change_t change = update_instance (entry->worker, observation);
    worker_spoke (entry->worker, &change, seen->interval_seconds, loop_now (self->loop).steady);
    //  Everything about it is new: one event says so, and the snapshot has the rest.
    feed_state (self->feed, entry->worker);
    announce_created (self->feed, entry->worker);
    feed_snapshot (self->feed, entry->worker, "created");
    fleet_touch (self, entry, OWED_NOTHING);
    return 0;
}

int
fleet_apply_instance (fleet_t *self, const observation_t *observation, reason_t *why)
{
    const instance_observed_t *seen = &observation->instance_observed;
    names_t names;

    int rc = names_of (observation, &names, why);
    if (rc < 0) {
        return rc;
    }
    entry_t *entry = fleet_entry_of (self, &names);
    if (!entry) {
        return create (self, &names, observation, why);
    }
    worker_change_t change = update_instance (entry->worker, observation);
    tell_round (self, entry, &change, seen->interval_seconds);
    return 0;
}

//  That a worker nobody knows is gone changes nothing.
int
fleet_apply_gone (fleet_t *self, const observation_t *observation, reason_t *why)
{
    names_t names;

    int rc = names_of (observation, &names, why);
    if (rc < 0) {
        return rc;
    }
    entry_t *entry = fleet_entry_of (self, &names);
    if (entry) {
        worker_change_t change = worker_terminate (entry->worker, observation->envelope.time);
        fleet_tell (self, entry, &change, false);
    }
    return 0;
}

int
fleet_apply_utilization (fleet_t *self, const observation_t *observation, reason_t *why)
{
    const utilization_observed_t *seen = &observation->utilization_observed;
    char kind [ENVELOPE_KIND_SIZE] = "other";
    entry_t *entry = find_entry (self, observation, why);

    if (!entry) {
        return -ENOENT;
    }
    (void) envelope_source_kind (observation->envelope.source, kind);
    worker_change_t change =
        strcmp (kind, "cloudwatch") == 0
            ? worker_update_cloudwatch (entry->worker, seen, observation->envelope.time)
            : worker_update_other (entry->worker, kind, seen, observation->envelope.time);
    tell_round (self, entry, &change, seen->interval_seconds);
    return 0;
}

int
fleet_apply_telemetry (fleet_t *self, const observation_t *observation, reason_t *why)
{
    const worker_telemetry_observed_t *seen = &observation->worker_telemetry_observed;
    entry_t *entry = find_entry (self, observation, why);

    if (!entry) {
        return -ENOENT;
    }
    worker_change_t change =
        worker_update_telemetry (entry->worker, seen, observation->envelope.time);
    tell_round (self, entry, &change, seen->interval_seconds);
    return 0;
}

int
fleet_apply_system (fleet_t *self, const observation_t *observation, reason_t *why)
{
    const system_observed_t *seen = &observation->system_observed;
    entry_t *entry = find_entry (self, observation, why);

    if (!entry) {
        return -ENOENT;
    }
    worker_change_t change = worker_update_cml (entry->worker, seen, observation->envelope.time);
    tell_round (self, entry, &change, seen->interval_seconds);
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
        fleet_tell (self, entry, &change, false);
    }
    return 0;
}

int
fleet_apply_lab_state (fleet_t *self, const observation_t *observation, reason_t *why)
{
    const lab_state_changed_t *seen = &observation->lab_state_changed;
    entry_t *entry = find_entry (self, observation, why);

    if (!entry) {
        return -ENOENT;
    }
    worker_change_t change =
        worker_update_lab_state (entry->worker, seen, observation->envelope.time);
    if (change.verdict == WORKER_APPLIED) {
        announce_lab_state (self->feed, entry->worker, seen);
        fleet_touch (self, entry, OWED_NOTHING);
    }
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
    fleet_tell (self, entry, &change, false);
    return 0;
}

int
fleet_apply_heartbeat (fleet_t *self, const observation_t *observation, reason_t *why)
{
    const envelope_t *envelope = &observation->envelope;

    (void) why;
    collectors_take (self->collectors, envelope->source, &observation->collector_heartbeat,
                     envelope->time, loop_now (self->loop).steady);
    return 0;
}

void
fleet_note_lost (fleet_t *self, const char *source, uint64_t count)
{
    collectors_lose (self->collectors, source, count);
}

int
fleet_set_idle_detection (fleet_t *self, const char *id, bool enabled, const char *by,
                          bool *changed, reason_t *why)
{
    const worker_t *worker = fleet_find (self, id);

    if (!worker) {
        return reason_set (why, -ENOENT, "no worker has the id or EC2 instance id '%.80s'", id);
    }
    entry_t *entry = fleet_entry (self, worker_id (worker));
    worker_change_t change =
        worker_set_idle_detection (entry->worker, enabled, loop_now (self->loop).wall);
    *changed = change.verdict == WORKER_APPLIED;
    if (*changed) {
        announce_toggle (self->feed, entry->worker, by);
        fleet_tell (self, entry, &change, false);
    }
    return 0;
}
