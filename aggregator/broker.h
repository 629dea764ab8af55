// broker.h - jobs from being asked for to their end, and everyone who is told of it.
//
// Ties together what is pure: the set of jobs (jobs.h), who runs them (runners.h), the types and
// their gates (job_types.h); and tells the feed and the store of each transition as it happens.
// Work is handed out when something has happened: a job was asked for or came back, a runner asks,
// leases have changed. In each turn of the loop, in this order:
//
//   1. questions and reports change jobs and runners (job_answers.h, ingest.h)
//   2. at the turn's end what waits is matched with who waits, and their answers are written
//   3. the fleet's end of the turn commits and publishes all of it (fleet_settle)
//   4. the answers go out (job_outbox.h), unless the store did not take it: then later
//
// So nobody, monitor, client or runner, hears of what could be forgotten.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_BROKER_H
#define AGGREGATOR_BROKER_H

#include "feed.h"
#include "job_outbox.h"
#include "jobs.h"
#include "leases.h"
#include "runners.h"

typedef struct broker broker_t;
typedef struct fleet fleet_t;

typedef struct broker_settings {
    jobs_rules_t rules;
    int64_t runners_max, renew_ms;
} broker_settings_t;

//  All but metrics are borrowed; store null: nothing is kept.
broker_t *broker_new (loop_t *loop, feed_t *feed, store_t *store, const broker_settings_t *settings,
                      metrics_t *metrics, reason_t *why);
void broker_destroy (broker_t **self_p);
//  From here on it knows the workers and who owns them, and the jobs of the store are there again.
//  After fleet_restore. 0, or a negative errno and why.
int broker_follow (broker_t *self, fleet_t *fleet, const leases_t *leases, reason_t *why);

jobs_t *broker_jobs (const broker_t *self);
runners_t *broker_runners (const broker_t *self);
job_outbox_t *broker_outbox (const broker_t *self);
const feed_t *broker_feed (const broker_t *self);
fleet_t *broker_fleet (const broker_t *self);
moment_t broker_now (const broker_t *self);

job_verdict_t broker_submit (broker_t *self, const job_order_t *order, const job_t **job);
void broker_cancel (broker_t *self, const job_t *job, const char *by, const char *reason);

//  The worker's status or that of its CML has changed: gates may have. One that is over takes its
//  open jobs with it.
void broker_follow_worker (broker_t *self, const worker_t *worker);

//  What a runner says of a job it has. False: it has it not, or not any more; counted.
typedef struct job_report {
    event_type_t type;  //  EVENT_JOB_…_REPORTED
    const char *job_id, *step, *message, *result, *error_code, *error_message;  //  or null
    int64_t attempt;
    double progress;  //  percent of the step, of the job when it has none; UNKNOWN: not said
} job_report_t;

bool broker_report (broker_t *self, const char *runner_id, const job_report_t *report);

//  A runner asks. named are {job_id, attempt} of those it works on, null: none. The question is
//  answered when there is something for it, at the latest after wait_ms. -ENOSPC: at runners_max.
typedef struct runner_question {
    const char *runner_id;
    runner_offer_t offer;
    struct json_object *named;
    int64_t wait_ms;
    bool is_leaving;
} runner_question_t;

int broker_ask (broker_t *self, const runner_question_t *question, bus_request_t *request);

//  The record as the store has it, which the caller clears; false: it is not there.
bool broker_stored_job (const broker_t *self, const char *id, job_t *job);

//  An array of the records of the state: open ones, and the last of each kind of end.
void broker_write_jobs (const broker_t *self, json_writer_t *json);
//  The members of system.stats that are about jobs and runners.
void broker_write_stats (const broker_t *self, json_writer_t *json);

#endif
