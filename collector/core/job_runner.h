// job_runner.h - work that the aggregator gives this collector, beside its rounds.
//
// A source lists what it can do (collector_capability_t); one that lists nothing has no runner.
// The aggregator is asked over control (operation `runner`), one question at a time and by long
// poll: it answers when there is work, when a job is to be stopped, or after wait_ms. The question
// is the heartbeat too, and names each job that we have.
//
// J1 a job ends once: it is completed, failed, or stopped
// J2 what the aggregator says is ours no more is stopped, and nothing more is said of it
// J3 a job that has ended stays named until the aggregator has let it go
//
// An aggregator that is away changes nothing for the jobs under way. At the end (SIGTERM) what
// cannot end within JOB_GRACE_MS is given back: it fails with `not_owned`, and another takes it.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CORE_JOB_RUNNER_H
#define COLLECTOR_CORE_JOB_RUNNER_H

#include "../../common/bus_keys.h"
#include "collector.h"
#include "unit.h"

#define JOB_GRACE_MS 1500

typedef struct job_runner job_runner_t;

typedef struct job_runner_parts {         //  all borrowed
    const char *control, *kind, *source;  //  source: "/collector/<kind>/<collector_id>"
    const bus_keys_t *keys;               //  null: none
    const collector_capability_t *capabilities;
    void *state;  //  of the capabilities' functions
    int64_t concurrency, renew_ms;
    unit_table_t *units;
    void (*publish) (void *argument, observation_t *observation, const char *subject);
    void (*make_due) (void *argument, const char *unit);
    void *argument;
} job_runner_parts_t;

job_runner_t *job_runner_new (loop_t *loop, const job_runner_parts_t *parts, metrics_t *metrics,
                              reason_t *why);
//  What is under way is stopped and given back.
void job_runner_destroy (job_runner_t **self_p);

//  A round of this unit begins: it is that of the jobs that wait for one. Or has ended, and
//  they with it; code and message say why it failed.
void job_runner_round_begun (job_runner_t *self, const unit_t *unit);
void job_runner_round_ended (job_runner_t *self, const unit_t *unit, bool ok, const char *code,
                             const char *message);
//  The round under way of this unit is some job's.
bool job_runner_wants_round (const job_runner_t *self, const unit_t *unit);

//  Takes no more work, ends or gives back what is under way, and says good-bye; holds the loop
//  until then.
void job_runner_leave (job_runner_t *self);

size_t job_runner_running (const job_runner_t *self);

#endif
