// broker_runners.c - runners ask, get work, fall silent; see broker.h.
//
// SPDX-License-Identifier: MIT

#include "../common/cleanup.h"
#include "../common/log.h"
#include "broker_state.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TTL_RENEWALS      3          //  missed in a row until a runner is lost
#define NOT_NAMED_MOST_US SECOND_US  //  a report of its end may be on its way by the other socket

static time_us_t
ttl_us (const broker_t *self)
{
    return self->settings->renew_ms * TTL_RENEWALS * MS_US;
}

//  Nobody has to be told of what was said by himself.
void
broker_hand_over (broker_t *self, const job_t *job, const job_change_t *change)
{
    runner_t *runner = NULL;

    if (change->event == EVENT_JOB_ASSIGNED) {
        runner = runners_find (self->runners, job->runner_id);
        runner_hold (runner, job);
    } else if (job_status_is_active (change->old_status) && !job_status_is_active (job->status)) {
        runner = change->runner_id ? runners_find (self->runners, change->runner_id) : NULL;
        if (runner) {
            runner_drop (runner, job);
        }
        if (runner && runner->question &&
            !(self->reporting && strcmp (self->reporting, runner->id) == 0)) {
            zlistx_add_end (runner->stopped, (void *) (uintptr_t) job->id);
        }
    }
}

//  --- its answer

static void
write_assigned (const broker_t *self, json_writer_t *json, const job_t *job)
{
    const worker_t *worker = *job->worker_id ? fleet_find (self->fleet, job->worker_id) : NULL;

    json_open_object (json);
    json_member_text (json, "job_id", job->id);
    json_member_integer (json, "attempt", job->attempt);
    json_member_text (json, "job_type", job->type);
    json_member_text (json, "step", job->step);
    json_member_integer (json, "priority", job->priority);
    json_member_integer (json, "timeout_seconds", job->timeout_seconds);
    json_member_text (json, "worker_id", *job->worker_id ? job->worker_id : NULL);
    json_member_text (json, "region", *job->region ? job->region : NULL);
    json_member_text (json, "instance_id", *job->instance_id ? job->instance_id : NULL);
    json_member_text (json, "account_id", worker ? worker_account_id (worker) : NULL);
    json_member_raw (json, "payload", job->payload, job->payload ? strlen (job->payload) : 0);
    json_member_text (json, "workflow_id", job->workflow_id);
    json_member_text (json, "submitted_by", job->submitted_by);
    json_close_object (json);
}

static void
write_lists (const broker_t *self, json_writer_t *json, runner_t *runner)
{
    json_key (json, "assigned");
    json_open_array (json);
    for (const job_t *job = zlistx_first (runner->given); job; job = zlistx_next (runner->given)) {
        //  Cancelled in the turn in which it was given: it is not.
        if (job_status_is_active (job->status)) {
            write_assigned (self, json, job);
        }
    }
    json_close_array (json);
    json_key (json, "stop");
    json_open_array (json);
    for (const char *id = zlistx_first (runner->stopped); id; id = zlistx_next (runner->stopped)) {
        json_put_text (json, id);
    }
    json_close_array (json);
    zlistx_purge (runner->given);
    zlistx_purge (runner->stopped);
}

static void
answer (broker_t *self, runner_t *runner)
{
    _cleanup_ (buffer_clear) buffer_t text = {0};
    json_writer_t json = json_writer (&text);

    json_open_object (&json);
    json_member_integer (&json, "status", 200);
    json_member_integer (&json, "renew_ms", self->settings->renew_ms);
    json_member_integer (&json, "ttl_ms", self->settings->renew_ms * TTL_RENEWALS);
    write_lists (self, &json, runner);
    json_close_object (&json);
    job_outbox_put (self->outbox, runners_unpark (self->runners, runner), &text);
}

//  --- matching

static void
serve_anew (broker_t *self)
{
    for (runner_t *runner = runners_waiting (self->runners); runner; runner = runner->next) {
        runner->is_served = false;
    }
}

//  A gate may have shut while somebody had the job, who has given it back: then it is nobody's work,
//  and its next step may be that of one that had nothing to do.
static void
hand_out (broker_t *self)
{
    job_queue_t *queue = jobs_queue (self->jobs);
    bool again = true;

    serve_anew (self);
    while (again && job_queue_size (queue) > 0) {
        again = false;
        for (runner_t *runner = runners_waiting (self->runners); runner; runner = runner->next) {
            const job_t *job = !runner->is_served && runner_has_room (runner)
                                   ? runner_choose (runner, queue)
                                   : NULL;
            runner->is_served = !job;  //  what waits only gets less here
            again = again || job;
            if (job && !broker_follow_gate (self, job)) {
                serve_anew (self);
            } else if (job) {
                jobs_assign (self->jobs, job, runner->id, broker_now (self));
                zlistx_add_end (runner->given, (void *) (uintptr_t) job);
            }
        }
    }
}

static void
answer_those (broker_t *self, bool (*is_due) (const runner_t *runner, time_us_t now))
{
    for (runner_t *runner = runners_waiting (self->runners), *next; runner; runner = next) {
        next = runner->next;
        if (is_due (runner, broker_now (self).steady)) {
            answer (self, runner);
        }
    }
}

static bool
is_to_stop (const runner_t *runner, time_us_t now)
{
    (void) now;
    return zlistx_size (runner->stopped) > 0;
}

static bool
is_due (const runner_t *runner, time_us_t now)
{
    return zlistx_size (runner->given) > 0 || runner->until <= now;
}

void
broker_match (broker_t *self)
{
    reason_t why;

    if (self->leases && leases_revision (self->leases) != self->leases_revision) {
        self->leases_revision = leases_revision (self->leases);
        job_queue_share (jobs_queue (self->jobs));
        self->is_stirred = true;
    }
    //  Whoever is to stop with a job is not given it again in one breath.
    answer_those (self, is_to_stop);
    if (self->is_stirred && !feed_is_held (self->feed, &why)) {
        self->is_stirred = false;
        hand_out (self);
    }
    answer_those (self, is_due);
}

//  --- its question

//  {job_id, attempt}: the job, when it is its.
static const job_t *
named_job (const broker_t *self, const runner_t *runner, struct json_object *named)
{
    const char *id = json_get_text (named, "job_id");
    const job_t *job = id ? zhashx_lookup (runner->held, id) : NULL;
    int64_t attempt = 0;

    (void) self;
    (void) json_get_integer (named, "attempt", &attempt);
    return job && job->attempt == attempt ? job : NULL;
}

static void
take_named (broker_t *self, runner_t *runner, struct json_object *named, zhashx_t *seen)
{
    for (size_t i = 0; named && i < json_object_array_length (named); i++) {
        struct json_object *row = json_object_array_get_idx (named, i);
        const job_t *job = named_job (self, runner, row);
        const char *id = json_get_text (row, "job_id");

        if (job) {
            zhashx_update (seen, job->id, runner);
            jobs_doubt (self->jobs, job, TIME_UNKNOWN);
            if (job->status == JOB_ASSIGNED) {
                jobs_start (self->jobs, job, broker_now (self));
            }
        } else if (id) {
            zlistx_add_end (runner->stopped, (void *) (uintptr_t) id);
        }
    }
}

//  What it has and does not name: it never got it, it has let it go, or its report is on its way.
static void
doubt_the_rest (broker_t *self, runner_t *runner, zhashx_t *seen)
{
    time_us_t now = broker_now (self).steady;
    zlistx_t *ids = zhashx_keys (runner->held);

    for (const char *id = zlistx_first (ids); id; id = zlistx_next (ids)) {
        const job_t *job = zhashx_lookup (runner->held, id);
        if (zhashx_lookup (seen, id)) {
            continue;
        }
        if (runner->is_leaving) {
            jobs_release (self->jobs, job, JOB_GIVEN_BACK, "released", 0, broker_now (self));
        } else {
            jobs_doubt (self->jobs, job,
                        now + (job->status == JOB_ASSIGNED ? NOT_NAMED_MOST_US : ttl_us (self)));
        }
    }
    zlistx_destroy (&ids);
}

int
broker_ask (broker_t *self, const runner_question_t *question, bus_request_t *request)
{
    moment_t now = broker_now (self);
    //  Who lives asks at least each renew_ms.
    int64_t wait_ms =
        question->wait_ms < self->settings->renew_ms ? question->wait_ms : self->settings->renew_ms;
    runner_t *runner =
        runners_hear (self->runners, question->runner_id, &question->offer, now.steady);
    bus_request_t *deferred = runner ? bus_request_defer (request) : NULL;

    if (!deferred) {
        job_metrics_runner_refused (self->metrics);
        return -ENOSPC;
    }
    if (runner->question) {
        answer (self, runner);  //  it asks again: it has given up waiting for that
    }
    runner->is_leaving = question->is_leaving;
    zhashx_t *seen = zhashx_new ();
    take_named (self, runner, question->named, seen);
    doubt_the_rest (self, runner, seen);
    zhashx_destroy (&seen);
    runners_park (self->runners, runner, deferred,
                  now.steady + (runner->is_leaving ? 0 : wait_ms * MS_US));
    self->is_stirred = true;
    return 0;
}

//  --- silence

static void
lose (broker_t *self, runner_t *runner)
{
    zlistx_t *ids = zhashx_keys (runner->held);

    log_info (runner->is_leaving ? "runner left" : "runner lost", LOG_TEXT ("runner", runner->id),
              LOG_INTEGER ("jobs", zlistx_size (ids)));
    for (const char *id = zlistx_first (ids); id; id = zlistx_next (ids)) {
        jobs_release (self->jobs, zhashx_lookup (runner->held, id), JOB_LOST, "runner_lost", 0,
                      broker_now (self));
    }
    zlistx_destroy (&ids);
    if (runner->question) {
        answer (self, runner);
    }
    runners_remove (self->runners, runner);
}

static runner_t *
next_over (const broker_t *self)
{
    runner_t *runner = runners_silent (self->runners, broker_now (self).steady - ttl_us (self));

    for (runner_t *any = runners_first (self->runners); any && !runner;
         any = runners_next (self->runners)) {
        if (any->is_leaving && zhashx_size (any->held) == 0 && !any->question) {
            runner = any;
        }
    }
    return runner;
}

void
broker_check_runners (broker_t *self)
{
    for (runner_t *runner; (runner = next_over (self));) {
        lose (self, runner);
    }
}
