// freshness.c - how old a source's word is: absent, fresh, error, stale.
//
//     absent ── first good word ──► fresh ◄── good word ── stale
//        ▲                          │  ▲                     ▲
//        └── not asked any more ────┤  └─ good ─ error ──────┤
//                                   └── failed read ─►│      │
//                        no word for MISSED_ROUNDS intervals ┘
//
// A failed read says at once that something is wrong (error); silence says it after three missed
// intervals (stale), by a deadline in steady time, so that neither a clock that is set back nor
// a datum that never comes can hide it. A source that is not asked (the worker does not run) is
// absent, not stale.
//
// SPDX-License-Identifier: MIT

#include "worker_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MISSED_ROUNDS   3      //  of a source until it is stale
#define DEFAULT_SECONDS 60     //  where no observation has said its interval
#define SECONDS_MOST    86400  //  of an interval that is believed

static const struct {
    snapshot_field_t freshness, seen_at;
} FIELDS [SOURCE_COUNT] = {
    [SOURCE_EC2] = {SNAPSHOT_ec2_freshness, SNAPSHOT_ec2_last_checked_at},
    [SOURCE_CLOUDWATCH] = {SNAPSHOT_cloudwatch_freshness, SNAPSHOT_cloudwatch_last_collected_at},
    [SOURCE_CML] = {SNAPSHOT_cml_freshness, SNAPSHOT_cml_last_synced_at}};

static void
set_freshness (worker_t *self, worker_change_t *change, worker_source_t source,
               freshness_t freshness)
{
    if (self->sources [source].freshness != freshness) {
        self->sources [source].freshness = freshness;
        field_set_add (&change->fields, FIELDS [source].freshness);
    }
}

static void
keep_error (source_state_t *state, const char *code, const char *message)
{
    char text [SOURCE_ERROR_SIZE];

    if (!code && !state->error) {
        return;
    }
    snprintf (text, sizeof text, "%s%s%s", code ? code : "", code && message ? ": " : "",
              code && message ? message : "");
    if (state->error && strcmp (state->error, text) == 0) {
        return;
    }
    free (state->error);
    state->error = *text ? strdup (text) : NULL;
}

bool
freshness_take_turn (worker_t *self, worker_change_t *change, worker_source_t source, time_us_t at,
                     const char *error_code, const char *error_message)
{
    source_state_t *state = &self->sources [source];

    if (at <= state->at) {
        change->verdict = WORKER_NOT_NEWER;
        return false;
    }
    state->at = at;
    keep_error (state, error_code, error_message);
    if (!error_code) {
        state->good_at = at;
        field_set_add (&change->fields, FIELDS [source].seen_at);
    }
    if (source != SOURCE_EC2 || self->status != WORKER_TERMINATED) {  //  EC2 lists it for an hour
        set_freshness (self, change, source, error_code ? FRESH_ERROR : FRESH_FRESH);
    }
    return true;
}

void
freshness_suspend (worker_t *self, worker_change_t *change, worker_source_t source)
{
    self->sources [source].stale_at = NO_DEADLINE;
    keep_error (&self->sources [source], NULL, NULL);
    set_freshness (self, change, source, FRESH_ABSENT);
}

time_us_t
freshness_deadline (int64_t interval_seconds, time_us_t steady)
{
    int64_t seconds = interval_seconds > 0 ? interval_seconds : DEFAULT_SECONDS;

    return steady + MISSED_ROUNDS * (seconds < SECONDS_MOST ? seconds : SECONDS_MOST) * SECOND_US;
}

static other_load_t *
other_of (worker_t *self, const char *kind)
{
    for (size_t i = 0; i < self->others_count; i++) {
        if (strcmp (self->others [i].kind, kind) == 0) {
            return &self->others [i];
        }
    }
    return NULL;
}

void
worker_spoke (worker_t *self, const worker_change_t *change, int64_t interval_seconds,
              time_us_t steady)
{
    if (change->verdict != WORKER_APPLIED) {
        return;
    }
    if (change->by == SOURCE_OTHER) {
        other_load_t *other = other_of (self, change->by_kind);
        if (other) {
            other->stale_at = freshness_deadline (interval_seconds, steady);
        }
        return;
    }
    source_state_t *state = &self->sources [change->by];
    if (interval_seconds > 0) {
        state->interval_seconds = interval_seconds;
    }
    if (state->freshness != FRESH_ABSENT) {
        state->stale_at = freshness_deadline (state->interval_seconds, steady);
    }
}

time_us_t
worker_stale_at (const worker_t *self)
{
    time_us_t first = NO_DEADLINE;

    for (int source = 0; source < SOURCE_COUNT; source++) {
        if (self->sources [source].stale_at < first) {
            first = self->sources [source].stale_at;
        }
    }
    for (size_t i = 0; i < self->others_count; i++) {
        if (self->others [i].stale_at < first) {
            first = self->others [i].stale_at;
        }
    }
    return first;
}

//  Another kind has no freshness to show: its value ceases to count.
static bool
drop_silent_other (worker_t *self, worker_change_t *change, time_us_t steady)
{
    for (size_t i = 0; i < self->others_count; i++) {
        if (self->others [i].stale_at <= steady) {
            self->others [i].stale_at = NO_DEADLINE;
            self->others [i].counts = false;
            change->by = SOURCE_OTHER;
            change->by_kind = self->others [i].kind;
            load_calculate (self, change);
            return true;
        }
    }
    return false;
}

worker_change_t
worker_become_stale (worker_t *self, moment_t now)
{
    worker_change_t begun = change_begin (self, SOURCE_OTHER), *change = &begun;

    for (int source = 0; source < SOURCE_COUNT; source++) {
        if (self->sources [source].stale_at <= now.steady) {
            change->by = (worker_source_t) source;
            self->sources [source].stale_at = NO_DEADLINE;
            set_freshness (self, change, (worker_source_t) source, FRESH_STALE);
            return change_end (self, change, now.wall);
        }
    }
    if (drop_silent_other (self, change, now.steady)) {
        return change_end (self, change, now.wall);
    }
    begun.verdict = WORKER_NOT_SAID;
    return begun;
}
