// worker_activity.c - whether anyone uses the worker: activity, idle detection, pauses.
//
// Minimal by contract: none of these is followed by a snapshot; the next round carries the new
// fields (design.md section 5). A failed activity read decides nothing.
//
// SPDX-License-Identifier: MIT

#include "worker_state.h"

#include <assert.h>
#include <string.h>

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
    if (seen->interval_seconds > 0 && seen->interval_seconds <= INT32_MAX) {
        SET_TIME (next_idle_check_at, at + seen->interval_seconds * SECOND_US);
    }
    //  CML's log may be emptied; what was active once stays so. TIME_UNKNOWN is the least.
    if (seen->last_activity_at > self->state.last_activity_at) {
        SET_TIME (last_activity_at, seen->last_activity_at);
    }
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

worker_change_t
worker_pause (worker_t *self, const char *reason, const char *by, time_us_t at)
{
    worker_change_t begun = change_begin (self, SOURCE_OTHER), *change = &begun;
    assert (reason);

    if (self->state.last_paused_at != TIME_UNKNOWN && at <= self->state.last_paused_at) {
        begun.verdict = WORKER_NOT_NEWER;
        return begun;
    }
    if (strcmp (reason, "idle_timeout") == 0) {
        SET_INTEGER (auto_pause_count, self->state.auto_pause_count + 1);
    } else {
        SET_INTEGER (manual_pause_count, self->state.manual_pause_count + 1);
    }
    SET_TIME (last_paused_at, at);
    SET_TEXT (pause_reason, reason);
    SET_TEXT (paused_by, by);
    return change_end (self, change, at);
}

worker_change_t
worker_resume (worker_t *self, bool automatic, time_us_t at)
{
    worker_change_t begun = change_begin (self, SOURCE_OTHER), *change = &begun;

    if (self->state.last_resumed_at != TIME_UNKNOWN && at <= self->state.last_resumed_at) {
        begun.verdict = WORKER_NOT_NEWER;
        return begun;
    }
    if (automatic) {
        SET_INTEGER (auto_resume_count, self->state.auto_resume_count + 1);
    } else {
        SET_INTEGER (manual_resume_count, self->state.manual_resume_count + 1);
    }
    SET_TIME (last_resumed_at, at);
    return change_end (self, change, at);
}
