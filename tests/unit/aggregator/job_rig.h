// job_rig.h - what the tests of the set of jobs share: a set with a listener that writes down what it
// hears, a clock, workers, and the lease as a table of the test's.
//
// SPDX-License-Identifier: MIT

#ifndef TESTS_UNIT_AGGREGATOR_JOB_RIG_H
#define TESTS_UNIT_AGGREGATOR_JOB_RIG_H

#include "../../../aggregator/jobs.h"

#include "worker_rig.h"

#define HEARD_MAX 64

typedef struct heard {
    event_type_t event;
    job_status_t from, to;
    char reason [32], runner [64];
} heard_t;

static heard_t heard [HEARD_MAX];
static size_t heard_count, forgotten_count;
static const char *owner_of_all = "";  //  of built-in work
static moment_t now;

static const jobs_rules_t RULES = {.jobs_max = 8,
                                   .jobs_bytes_max = 1000,
                                   .jobs_keep = 1000,
                                   .jobs_keep_hours = 72,
                                   .job_pending_minutes = 60,
                                   .job_progress_ms = 250,
                                   .refresh_min_seconds = 10,
                                   .is_stored = true};

static inline void
on_changed (void *argument, const job_t *job, const job_change_t *change)
{
    (void) argument;
    assert_true (heard_count < HEARD_MAX);
    heard_t *self = &heard [heard_count++];
    *self = (heard_t){change->event, change->old_status, job->status, "", ""};
    snprintf (self->reason, sizeof self->reason, "%s", change->reason ? change->reason : "");
    snprintf (self->runner, sizeof self->runner, "%s", change->runner_id ? change->runner_id : "");
}

static inline void
on_forgotten (void *argument, const job_t *job)
{
    (void) argument, (void) job;
    forgotten_count++;
}

static inline void
owner (void *argument, const char *kind, const job_t *job, char out [JOB_RUNNER_MAX + 1])
{
    (void) argument, (void) kind, (void) job;
    snprintf (out, JOB_RUNNER_MAX + 1, "%s", owner_of_all);
}

static inline jobs_t *
make_jobs (const jobs_rules_t *rules)
{
    heard_count = forgotten_count = 0;
    owner_of_all = "";
    now = (moment_t){.wall = AT (0), .steady = 5 * SECOND_US};
    jobs_t *jobs = jobs_new (
        rules,
        &(jobs_listener_t){.changed = on_changed, .forgotten = on_forgotten, .owner = owner});
    assert_non_null (jobs);
    return jobs;
}

static inline void
pass (time_us_t us)
{
    now.wall += us;
    now.steady += us;
}

//  A worker that runs, with a CML at an address, which answers when service is SERVICE_AVAILABLE.
static inline worker_t *
worker_that_runs (int number, worker_service_t service)
{
    char instance_id [32];

    snprintf (instance_id, sizeof instance_id, "i-%d", number);
    worker_t *worker = worker_new ("r", instance_id, AT (0));
    tell_from (worker, "ec2", EVENT_INSTANCE_OBSERVED,
               "{'instance_id':'i','region':'r','state':'running','public_ip':'10.0.0.1'}", 1);
    if (service == SERVICE_AVAILABLE) {
        tell_from (worker, "cml", EVENT_SYSTEM_OBSERVED, "{'reachable':true,'ready':true}", 2);
    }
    assert_int_equal (worker_service (worker) == SERVICE_AVAILABLE, service == SERVICE_AVAILABLE);
    return worker;
}

static inline job_order_t
order_of (const char *type, const worker_t *worker)
{
    return (job_order_t){.type = type,
                         .worker = worker,
                         .by = "test",
                         .priority = INTEGER_UNKNOWN,
                         .timeout_seconds = INTEGER_UNKNOWN};
}

static inline const job_t *
submit (jobs_t *jobs, const char *type, const worker_t *worker, int64_t priority)
{
    job_order_t order = order_of (type, worker);
    const job_t *job = NULL;

    order.priority = priority;
    assert_int_equal (jobs_submit (jobs, &order, now, &job), JOB_IS_NEW);
    return job;
}

static inline const job_t *
first_of (jobs_t *jobs, const char *capability)
{
    const queued_t *item = job_queue_first (jobs_queue (jobs), capability, '*', "");

    return item ? item->job : NULL;
}

#endif
