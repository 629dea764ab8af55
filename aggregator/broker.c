// broker.c - see broker.h. Who runs what is broker_runners.c's.
//
// SPDX-License-Identifier: MIT

#include "broker.h"

#include "../common/cleanup.h"
#include "../common/log.h"
#include "broker_state.h"
#include "job_tell.h"
#include "jobs_store.h"
#include "work.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NOT_OWNED_DELAY_US SECOND_US

jobs_t *
broker_jobs (const broker_t *self)
{
    return self->jobs;
}

runners_t *
broker_runners (const broker_t *self)
{
    return self->runners;
}

job_outbox_t *
broker_outbox (const broker_t *self)
{
    return self->outbox;
}

const feed_t *
broker_feed (const broker_t *self)
{
    return self->feed;
}

fleet_t *
broker_fleet (const broker_t *self)
{
    return self->fleet;
}

moment_t
broker_now (const broker_t *self)
{
    return loop_now (self->loop);
}

static const worker_t *
worker_of (const broker_t *self, const job_t *job)
{
    return *job->worker_id ? fleet_find (self->fleet, job->worker_id) : NULL;
}

//  --- each transition, told

//  What it has done to its worker is told before it is over.
static void
follow_job (broker_t *self, const job_t *job)
{
    const job_type_t *type = job_type_find (job->type);
    const worker_t *worker = type ? worker_of (self, job) : NULL;

    if (!worker) {
        return;
    }
    fleet_follow_job (self->fleet, worker, job);
    if (type->refreshes && job->status == JOB_COMPLETED) {
        feed_snapshot (self->feed, worker, "refresh");
    }
}

static void
on_changed (void *argument, const job_t *job, const job_change_t *change)
{
    broker_t *self = argument;

    follow_job (self, job);
    job_tell (self->feed, job, change, loop_now (self->loop).wall);
    jobs_store_put (self->store, job);
    job_metrics_count (self->metrics, job, change);
    broker_hand_over (self, job, change);
    self->is_stirred = true;
}

static void
on_forgotten (void *argument, const job_t *job)
{
    broker_t *self = argument;

    jobs_store_forget (self->store, job);
}

static void
find_owner (void *argument, const char *kind, const job_t *job, char owner [JOB_RUNNER_MAX + 1])
{
    broker_t *self = argument;
    const char *unit = work_is_by_region (kind) ? job->region : job->worker_id;
    const char *found = self->leases ? leases_owner (self->leases, kind, unit) : NULL;

    snprintf (owner, JOB_RUNNER_MAX + 1, "%s", found ? found : "");
}

//  --- asking for one

job_verdict_t
broker_submit (broker_t *self, const job_order_t *order, const job_t **job)
{
    job_verdict_t verdict = jobs_submit (self->jobs, order, broker_now (self), job);

    job_metrics_refused (self->metrics, verdict);
    return verdict;
}

void
broker_cancel (broker_t *self, const job_t *job, const char *by, const char *reason)
{
    jobs_cancel (self->jobs, job, by, reason, broker_now (self));
}

//  Of one that waits, a step whose gate has shut is skipped; one without steps has nothing left.
bool
broker_follow_gate (broker_t *self, const job_t *job)
{
    const job_type_t *type = job_type_find (job->type);
    const worker_t *worker = type ? worker_of (self, job) : NULL;

    if (!type) {
        return true;
    }
    if (!job_gate_is_open (GATE_THERE, worker)) {
        jobs_fail (self->jobs, job, "worker_gone", "the worker is terminated", broker_now (self));
        return false;
    }
    const job_step_t *step = job_type_step (type, job->step),
                     *open = job_type_open_step (step, worker);
    if (job->status != JOB_PENDING || open == step) {
        return true;
    }
    if (step->name) {
        jobs_step_done (self->jobs, job, NULL, open, broker_now (self));
    } else {
        jobs_fail (self->jobs, job, "not_running", "the worker does not run any more",
                   broker_now (self));
    }
    return false;
}

void
broker_follow_worker (broker_t *self, const worker_t *worker)
{
    const job_type_t *type;

    for (size_t i = 0; (type = job_type_at (i)); i++) {
        const job_t *job = jobs_open_of (self->jobs, type->name, worker_id (worker));
        if (job) {
            (void) broker_follow_gate (self, job);
        }
    }
}

//  --- reports

static void
report_failure (broker_t *self, const job_t *job, const job_report_t *report)
{
    const char *code = report->error_code ? report->error_code : "failed";

    if (strcmp (code, "not_owned") == 0) {
        jobs_release (self->jobs, job, JOB_GIVEN_BACK, "released", NOT_OWNED_DELAY_US,
                      broker_now (self));
    } else {
        jobs_fail (self->jobs, job, code, report->error_message ? report->error_message : code,
                   broker_now (self));
    }
}

static void
report_completion (broker_t *self, const job_t *job, const job_report_t *report)
{
    const job_type_t *type = job_type_find (job->type);
    char shortened [64];
    const char *result = report->result;

    if (result && strlen (result) > JOB_PAYLOAD_MAX) {
        snprintf (shortened, sizeof shortened, "{\"left_out_bytes\":%zu}", strlen (result));
        result = shortened;
    }
    const job_step_t *step = type ? job_type_step (type, job->step) : NULL;
    if (step && step->name) {
        jobs_step_done (self->jobs, job, result,
                        job_type_open_step (step + 1, worker_of (self, job)), broker_now (self));
    } else {
        jobs_complete (self->jobs, job, result, broker_now (self));
    }
}

static void
report_progress (broker_t *self, const job_t *job, const job_report_t *report)
{
    const job_type_t *type = job_type_find (job->type);
    const job_step_t *step = type ? job_type_step (type, job->step) : NULL;
    double progress = fmin (fmax (report->progress, 0), 100);

    progress = isnan (report->progress) ? UNKNOWN
               : step                   ? step->from + progress * (step->to - step->from) / 100
                                        : progress;
    jobs_progress (self->jobs, job, progress, type ? NULL : report->step, report->message,
                   broker_now (self));
}

static bool
is_believed (const job_t *job, const char *runner_id, const job_report_t *report)
{
    return job && job_status_is_active (job->status) && strcmp (job->runner_id, runner_id) == 0 &&
           job->attempt == report->attempt &&
           !(job_type_find (job->type) && report->step && job->step &&
             strcmp (report->step, job->step) != 0);
}

bool
broker_report (broker_t *self, const char *runner_id, const job_report_t *report)
{
    const job_t *job = report->job_id ? jobs_find (self->jobs, report->job_id) : NULL;
    bool is_not_owned = report->type == EVENT_JOB_FAILED_REPORTED && report->error_code &&
                        strcmp (report->error_code, "not_owned") == 0;

    if (!is_believed (job, runner_id, report)) {
        job_metrics_stale_report (self->metrics);
        return false;
    }
    runners_hear (self->runners, runner_id, NULL, broker_now (self).steady);
    self->reporting = runner_id;
    if (job->status == JOB_ASSIGNED && !is_not_owned) {
        jobs_start (self->jobs, job, broker_now (self));
    }
    switch (report->type) {
    case EVENT_JOB_COMPLETED_REPORTED: report_completion (self, job, report); break;
    case EVENT_JOB_FAILED_REPORTED: report_failure (self, job, report); break;
    default: report_progress (self, job, report); break;
    }
    self->reporting = NULL;
    return true;
}

//  --- for others

bool
broker_stored_job (const broker_t *self, const char *id, job_t *job)
{
    return self->store && jobs_store_get (self->store, id, job);
}

void
broker_write_jobs (const broker_t *self, json_writer_t *json)
{
    json_open_array (json);
    for (const job_t *job = jobs_newest (self->jobs); job; job = jobs_older (job)) {
        if (jobs_is_of_state (job)) {
            json_open_object (json);
            job_write (json, job);
            json_close_object (json);
        }
    }
    json_close_array (json);
}

void
broker_write_stats (const broker_t *self, json_writer_t *json)
{
    size_t active =
        jobs_count (self->jobs, JOB_ASSIGNED) + jobs_count (self->jobs, JOB_IN_PROGRESS);
    size_t total = 0;

    for (int status = 0; status < JOB_STATUS_COUNT; status++) {
        total += jobs_count (self->jobs, (job_status_t) status);
    }
    json_member_integer (json, "total_jobs", (int64_t) total);
    json_member_integer (json, "pending_jobs", (int64_t) jobs_count (self->jobs, JOB_PENDING));
    json_member_integer (json, "active_jobs", (int64_t) active);
    json_member_integer (json, "completed_jobs", (int64_t) jobs_count (self->jobs, JOB_COMPLETED));
    json_member_integer (json, "failed_jobs", (int64_t) jobs_count (self->jobs, JOB_FAILED));
    runners_write (self->runners, json);
}

//  --- time

static void
set_timer (broker_t *self)
{
    time_us_t jobs = jobs_due_at (self->jobs), runners = runners_due_at (self->runners),
              first = jobs < runners ? jobs : runners, delay = first - loop_now (self->loop).steady;

    if (first == self->due_at && loop_timer_is_set (self->due)) {
        return;
    }
    self->due_at = first;
    if (first == INT64_MAX) {
        loop_timer_stop (self->due);
    } else {
        loop_timer_after (self->due, delay > 0 ? delay : 0);
    }
}

static void
on_due (void *argument)
{
    broker_t *self = argument;

    jobs_do_due (self->jobs, broker_now (self));
    self->is_stirred = true;
}

static void
on_beat (void *argument)
{
    broker_t *self = argument;

    if (!loop_timer_stood_still (self->beat)) {
        broker_check_runners (self);
    }
    jobs_trim (self->jobs, broker_now (self));
}

static void
on_turn_end (void *argument)
{
    broker_t *self = argument;

    broker_match (self);
    set_timer (self);
}

static void
on_committed (void *argument)
{
    broker_t *self = argument;
    reason_t why;

    if (!feed_is_held (self->feed, &why)) {
        job_outbox_send (self->outbox);
    }
}

//  --- beginning

broker_t *
broker_new (loop_t *loop, feed_t *feed, store_t *store, const broker_settings_t *settings,
            metrics_t *metrics, reason_t *why)
{
    _cleanup_ (broker_destroy) broker_t *self = calloc (1, sizeof *self);
    jobs_listener_t listener = {
        .changed = on_changed, .forgotten = on_forgotten, .owner = find_owner, .argument = self};

    if (!self || !(self->due = loop_timer_new (loop, on_due, self)) ||
        !(self->beat = loop_timer_new (loop, on_beat, self)) ||
        !(self->outbox = job_outbox_new ()) ||
        !(self->jobs = jobs_new (&settings->rules, &listener)) ||
        !(self->runners = runners_new ((size_t) settings->runners_max)) ||
        !(self->metrics = job_metrics_new (metrics, loop, self->jobs, self->runners))) {
        reason_set (why, -ENOMEM, "broker: out of memory");
        return NULL;
    }
    self->loop = loop;
    self->feed = feed;
    self->store = store;
    self->settings = settings;
    self->due_at = INT64_MAX;
    loop_on_turn_end (loop, on_turn_end, self);
    return take_ptr (self);
}

//  What the store's program did not know of a job's worker.
static void
complete_worker (const broker_t *self, job_t *job)
{
    const worker_t *worker = *job->region ? NULL : worker_of (self, job);

    if (worker) {
        snprintf (job->region, sizeof job->region, "%s", worker_region (worker));
        snprintf (job->instance_id, sizeof job->instance_id, "%s", worker_instance_id (worker));
    }
}

//  Who had a job has the time of one that was heard just now to say so.
static void
restore_holder (broker_t *self, const job_t *job)
{
    runner_t *runner = job->runner_id ? runners_hear (self->runners, job->runner_id, NULL,
                                                      broker_now (self).steady)
                                      : NULL;

    if (runner) {
        runner_hold (runner, job);
    } else {
        jobs_release (self->jobs, job, JOB_LOST, "runner_lost", 0, broker_now (self));
    }
}

int
broker_follow (broker_t *self, fleet_t *fleet, const leases_t *leases, reason_t *why)
{
    job_t *jobs = NULL;
    size_t count = 0;

    self->fleet = fleet;
    self->leases = leases;
    self->leases_revision = leases_revision (leases);
    int rc = jobs_store_load (self->store, &jobs, &count, why);
    if (rc == 0) {
        for (size_t i = 0; i < count; i++) {
            complete_worker (self, &jobs [i]);
        }
        jobs_restore (self->jobs, jobs, count, broker_now (self));
        for (const job_t *job = jobs_newest (self->jobs); job; job = jobs_older (job)) {
            if (job_status_is_active (job->status)) {
                restore_holder (self, job);
            }
        }
        fleet_note_jobs (fleet);
    }
    free (jobs);
    loop_timer_every (self->beat, self->settings->renew_ms * MS_US / 2);
    loop_on_turn_end (self->loop, on_committed, self);
    return rc;
}

void
broker_destroy (broker_t **self_p)
{
    assert (self_p);
    broker_t *self = *self_p;

    if (self) {
        if (self->loop) {
            loop_forget (self->loop, self);
        }
        loop_timer_destroy (&self->due);
        loop_timer_destroy (&self->beat);
        job_metrics_destroy (&self->metrics);
        job_outbox_destroy (&self->outbox);
        jobs_destroy (&self->jobs);
        runners_destroy (&self->runners);
        free (self);
        *self_p = NULL;
    }
}
