// worker_activity.c - whether anyone uses the worker: activity, idle detection, pauses.
//
// Minimal by contract: none of these is followed by a snapshot; the next round carries the new
// fields (design.md section 5). A failed activity read decides nothing.
//
// W7 is kept by one flag: `paused` is set by the first of our own pause and the stop that a
// source sees, and cleared by the first of our own resume and the start that is seen. Whoever
// comes second finds it done and is silent. A stop is mostly seen before the job that caused it has
// ended: `doing` says that such a job is under way, and lends the stop its reason.
//
// SPDX-License-Identifier: MIT

#include "worker_state.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

idle_facts_t
worker_idle_facts (const worker_t *self)
{
    return (idle_facts_t){.is_running = self->status == WORKER_RUNNING,
                          .is_enabled = self->state.is_idle_detection_enabled == FLAG_YES,
                          .labs = self->state.cml_labs_count,
                          .activity_at = self->state.last_activity_at,
                          .resumed_at = self->state.last_resumed_at,
                          .created_at = self->state.created_at,
                          .checked_at = self->state.last_activity_check_at};
}

void
idle_follow (worker_t *self, worker_change_t *change)
{
    idle_facts_t facts = worker_idle_facts (self);

    SET_TIME (target_pause_at, idle_pause_at (&self->rules->idle, &facts));
}

static void
take_events (worker_t *self, const json_node_t *events)
{
    buffer_t text = {0};
    json_writer_t json = json_writer (&text);

    if (!events) {
        return;
    }
    json_put_node (&json, events);
    if (buffer_failed (&text)) {
        buffer_clear (&text);
        return;
    }
    free (self->activity_events);
    self->activity_events = text.data;
}

worker_change_t
worker_update_activity (worker_t *self, const activity_observed_t *seen, time_us_t at)
{
    worker_change_t begun = change_begin (self, SOURCE_CML), *change = &begun;

    if (at <= self->activity_at || seen->error_code) {
        begun.verdict = at <= self->activity_at ? WORKER_NOT_NEWER : WORKER_NOT_SAID;
        return begun;
    }
    self->activity_at = at;
    SET_TIME (last_activity_check_at, at);
    if (worker_may_run (self) && seen->interval_seconds > 0 &&
        seen->interval_seconds <= INT32_MAX) {
        SET_TIME (next_idle_check_at, at + seen->interval_seconds * SECOND_US);
    }
    //  CML's log may be emptied; what was active once stays so. TIME_UNKNOWN is the least.
    if (seen->last_activity_at > self->state.last_activity_at) {
        SET_TIME (last_activity_at, seen->last_activity_at);
    }
    take_events (self, seen->events.node);
    idle_facts_t facts = worker_idle_facts (self);
    change->pause_due = !self->paused && idle_is_due (&self->rules->idle, &facts);
    return change_end (self, change, at);
}

worker_change_t
worker_set_idle_detection (worker_t *self, bool enabled, time_us_t at)
{
    worker_change_t begun = change_begin (self, SOURCE_OTHER), *change = &begun;

    SET_FLAG (is_idle_detection_enabled, enabled ? FLAG_YES : FLAG_NO);
    if (field_set_is_empty (&change->fields)) {
        begun.verdict = WORKER_NOT_SAID;
        return begun;
    }
    return change_end (self, change, at);
}

static void
set_paused (worker_t *self, worker_change_t *change, const char *reason, const char *by,
            time_us_t at)
{
    if (strcmp (reason, "idle_timeout") == 0) {
        SET_INTEGER (auto_pause_count, self->state.auto_pause_count + 1);
    } else {
        SET_INTEGER (manual_pause_count, self->state.manual_pause_count + 1);
    }
    SET_TIME (last_paused_at, at);
    SET_TEXT (pause_reason, reason);
    SET_TEXT (paused_by, by);
    self->paused = true;
    change->paused = true;
}

static void
set_resumed (worker_t *self, worker_change_t *change, const char *reason, const char *by,
             time_us_t at)
{
    if (strcmp (reason, "automatic") == 0) {
        SET_INTEGER (auto_resume_count, self->state.auto_resume_count + 1);
    } else {
        SET_INTEGER (manual_resume_count, self->state.manual_resume_count + 1);
    }
    SET_TIME (last_resumed_at, at);
    self->paused = false;
    change->resumed = reason;
    change->resumed_by = by;
}

worker_change_t
worker_pause (worker_t *self, const char *reason, const char *by, time_us_t at)
{
    worker_change_t begun = change_begin (self, SOURCE_OTHER), *change = &begun;
    assert (reason);

    if (self->paused || at <= self->state.last_paused_at) {
        begun.verdict = self->paused ? WORKER_NOT_SAID : WORKER_NOT_NEWER;
        return begun;
    }
    set_paused (self, change, reason, by, at);
    return change_end (self, change, at);
}

worker_change_t
worker_resume (worker_t *self, const char *reason, const char *by, time_us_t at)
{
    worker_change_t begun = change_begin (self, SOURCE_OTHER), *change = &begun;
    assert (reason);

    if (!self->paused || at <= self->state.last_resumed_at) {
        begun.verdict = self->paused ? WORKER_NOT_NEWER : WORKER_NOT_SAID;
        return begun;
    }
    set_resumed (self, change, reason, by, at);
    return change_end (self, change, at);
}

//  The job under way that does this; null: none.
static const worker_doing_t *
doing_of (const worker_t *self, worker_order_t order)
{
    return self->doing.order == order && *self->doing.reason ? &self->doing : NULL;
}

//  A change keeps it: a static text.
static const char *
resume_reason (const char *reason)
{
    return strcmp (reason, "automatic") == 0 ? "automatic" : "manual";
}

//  What a status says of it; a worker that is ending, or of unknown status, is as it was.
static power_t
power_of (worker_status_t status, power_t before)
{
    switch (status) {
    case WORKER_PENDING:
    case WORKER_STARTING:
    case WORKER_RUNNING: return POWER_UP;
    case WORKER_STOPPING:
    case WORKER_STOPPED: return POWER_DOWN;
    default: return before;
    }
}

void
pause_follow_status (worker_t *self, worker_change_t *change, time_us_t at)
{
    power_t before = self->power;

    self->power = power_of (self->status, before);
    if (self->power == POWER_DOWN && !self->paused) {
        if (before == POWER_UP) {
            const worker_doing_t *doing = doing_of (self, WORKER_ORDER_PAUSE);
            set_paused (self, change, doing ? doing->reason : "external", doing ? doing->by : NULL,
                        at);
        }
        self->paused = true;  //  first seen stopped: nobody paused it before our eyes
    } else if (self->power == POWER_UP && before == POWER_DOWN && self->paused) {
        const worker_doing_t *doing = doing_of (self, WORKER_ORDER_RESUME);
        set_resumed (self, change, doing ? resume_reason (doing->reason) : "external",
                     doing ? doing->by : NULL, at);
    }
}

void
worker_expect (worker_t *self, worker_order_t order, const char *reason, const char *by)
{
    worker_doing_t *doing = &self->doing;

    if (!reason && doing->order != order) {
        return;  //  it was another's end
    }
    doing->order = order;
    snprintf (doing->reason, sizeof doing->reason, "%s", reason ? reason : "");
    snprintf (doing->by, sizeof doing->by, "%s", by ? by : "");
}
