// worker_ec2.c - what EC2 tells of a worker, and the status machine that follows it.
//
//     pending ─► running ─► stopping ─► stopped ─► pending …      shutting-down ─► terminated
//        └─────────┴─ pause ─►┴───────────┘ ─ resume ─►┘
//
// EC2's states are ours by name; a state we do not know is `unknown`. Any state may follow any
// other, for we see what a poll sees, not each step: an instance that is listed again was not
// terminated, whatever its absence from a listing once said.
//
// SPDX-License-Identifier: MIT

#include "worker_state.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

//  Only while they last: a page counts the time since, and stops when it is over.
static void
set_transition_times (worker_t *self, worker_change_t *change, worker_status_t status, time_us_t at)
{
    bool starts = status == WORKER_PENDING || status == WORKER_STARTING;
    bool stops = status == WORKER_STOPPING || status == WORKER_SHUTTING_DOWN;

    if (!starts) {
        SET_TIME (start_initiated_at, TIME_UNKNOWN);
    } else if (self->state.start_initiated_at == TIME_UNKNOWN) {
        SET_TIME (start_initiated_at, at);
    }
    if (!stops) {
        SET_TIME (stop_initiated_at, TIME_UNKNOWN);
    } else if (self->state.stop_initiated_at == TIME_UNKNOWN) {
        SET_TIME (stop_initiated_at, at);
    }
    SET_TIME (terminated_at, status == WORKER_TERMINATED ? at : TIME_UNKNOWN);
}

//  The other sources are not asked about a worker that does not run (W6); their values stay.
static void
set_status (worker_t *self, worker_change_t *change, worker_status_t status, time_us_t at)
{
    self->status_at = at;
    if (self->status == status) {
        return;
    }
    self->status = status;
    field_set_add (&change->fields, SNAPSHOT_status);
    set_transition_times (self, change, status, at);
    if (!worker_may_run (self)) {
        SET_TEXT (https_endpoint, NULL);
        SET_TIME (next_idle_check_at, TIME_UNKNOWN);
        freshness_suspend (self, change, SOURCE_CLOUDWATCH);
        freshness_suspend (self, change, SOURCE_CML);
        for (size_t i = 0; i < self->others_count; i++) {
            self->others [i].counts = false;
            self->others [i].stale_at = NO_DEADLINE;
        }
    }
    if (status == WORKER_TERMINATED) {
        freshness_suspend (self, change, SOURCE_EC2);
    }
    service_follow_status (self, change);
    pause_follow_status (self, change, at);
    load_calculate (self, change);
}

static worker_status_t
status_of (const char *state)
{
    worker_status_t status = worker_status_parse (state);
    return status == WORKER_STATUS_COUNT ? WORKER_UNKNOWN : status;
}

static const char *
or_null (const char *text)
{
    return text && *text ? text : NULL;
}

static void
take_details (worker_t *self, worker_change_t *change, const instance_observed_t *seen)
{
    SET_SAID_TEXT (name, or_null (seen->name));
    SET_SAID_TEXT (instance_type, seen->instance_type);
    SET_SAID_TEXT (ami_id, seen->image_id);
    SET_SAID_TEXT (ami_name, seen->image_name);
    SET_SAID_TEXT (ami_description, seen->image_description);
    SET_SAID_TIME (ami_creation_date, seen->image_creation_date);
    SET_SAID_JSON (aws_tags, seen->tags.node);
    SET_SAID_FLAG (cloudwatch_detailed_monitoring_enabled, seen->detailed_monitoring);
    if (seen->state) {
        //  A listing that tells the state tells the addresses too: absent is released.
        SET_TEXT (public_ip, or_null (seen->public_ip));
        SET_TEXT (private_ip, or_null (seen->private_ip));
    }
}

//  No fact of the snapshot: it is for the collectors, which have to ask with the right keys.
static void
take_account (worker_t *self, worker_change_t *change, const char *account_id)
{
    if (!account_id || (self->account_id && strcmp (self->account_id, account_id) == 0)) {
        return;
    }
    char *copy = strdup (account_id);
    if (copy) {
        free (self->account_id);
        self->account_id = copy;
        change->account = true;
    }
}

static void
take_round (worker_t *self, worker_change_t *change, int64_t interval_seconds, time_us_t at)
{
    if (interval_seconds > 0 && interval_seconds <= INT32_MAX) {
        SET_INTEGER (poll_interval, interval_seconds);
        SET_TIME (next_refresh_at, at + interval_seconds * SECOND_US);
    }
}

worker_change_t
worker_update_ec2 (worker_t *self, const instance_observed_t *seen, time_us_t at)
{
    worker_change_t begun = change_begin (self, SOURCE_EC2), *change = &begun;

    if (at <= self->sources [SOURCE_EC2].at) {
        begun.verdict = WORKER_NOT_NEWER;
        return begun;
    }
    //  The status first: whether EC2's freshness shows hangs on it. A listing that was seen before
    //  our own action (worker_update_status) does not undo it.
    if (seen->state && at > self->status_at) {
        set_status (self, change, status_of (seen->state), at);
    }
    (void) freshness_take_turn (self, change, SOURCE_EC2, at, seen->error_code,
                                seen->error_message);
    take_details (self, change, seen);
    take_account (self, change, seen->account_id);
    take_round (self, change, seen->interval_seconds, at);
    if (!seen->error_code) {
        SET_SAID_TEXT (ec2_instance_state_detail, seen->instance_status);
        SET_SAID_TEXT (ec2_system_status_check, seen->system_status);
    }
    return change_end (self, change, at);
}

//  EC2 says nothing of it: neither when it was checked, nor that it would be overdue.
worker_change_t
worker_update_listed (worker_t *self, const instance_observed_t *seen, time_us_t at)
{
    worker_change_t begun = change_begin (self, SOURCE_EC2), *change = &begun;
    source_state_t *ec2 = &self->sources [SOURCE_EC2];

    if (ec2->freshness != FRESH_ABSENT || at <= ec2->at) {
        begun.verdict = at <= ec2->at ? WORKER_NOT_NEWER : WORKER_NOT_SAID;
        return begun;
    }
    ec2->at = at;
    if (seen->state && at > self->status_at) {
        set_status (self, change, status_of (seen->state), at);
    }
    take_details (self, change, seen);
    return change_end (self, change, at);
}

bool
worker_is_listed (const worker_t *self)
{
    return self->sources [SOURCE_EC2].freshness == FRESH_ABSENT &&
           self->status != WORKER_TERMINATED;
}

worker_change_t
worker_update_status (worker_t *self, worker_status_t status, time_us_t at)
{
    worker_change_t begun = change_begin (self, SOURCE_EC2), *change = &begun;
    assert (status < WORKER_STATUS_COUNT);

    if (at <= self->status_at) {
        begun.verdict = WORKER_NOT_NEWER;
        return begun;
    }
    set_status (self, change, status, at);
    return change_end (self, change, at);
}

worker_change_t
worker_terminate (worker_t *self, time_us_t at)
{
    worker_change_t begun = change_begin (self, SOURCE_EC2), *change = &begun;

    if (at <= self->sources [SOURCE_EC2].at) {
        begun.verdict = WORKER_NOT_NEWER;
        return begun;
    }
    self->sources [SOURCE_EC2].at = at;
    set_status (self, change, WORKER_TERMINATED, at);
    return change_end (self, change, at);
}
