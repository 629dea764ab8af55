// job.h - one job that this collector was given, from its assignment until the aggregator knows
// how it ended.
//
// What is said of it goes the way of observations, so that what it caused is known before its
// end is. That way can lose a message: a job that has ended is therefore named to the aggregator
// as one that we still have, until its answer says that it is ours no more (job_runner.h); as
// long as it does not, the end is said again.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CORE_JOB_H
#define COLLECTOR_CORE_JOB_H

#include "collector.h"
#include "job_runner.h"
#include "unit.h"

#define JOB_MAGIC        0x10b50001u
#define JOB_CODE_SIZE    65
#define JOB_MESSAGE_SIZE 512

//  A job may be done by the next whole round of its unit.
typedef enum job_round { JOB_ROUND_NONE, JOB_ROUND_WANTED, JOB_ROUND_RUNS } job_round_t;

struct collector_job {
    unsigned magic;
    job_runner_t *runner;
    collector_job_t *next, *previous;  //  in the runner's list
    struct json_object *json;          //  as assigned; texts below are borrowed from it
    const char *id, *step;             //  step: null when its type has none
    const collector_capability_t *capability;
    int64_t attempt, timeout_seconds;
    collector_worker_t worker;
    char *subject;
    unit_t *unit;  //  held; null: none yet
    void *work;    //  the source's
    job_round_t round;
    time_us_t began;  //  steady

    //  Its end, once it was said.
    bool ended;
    time_us_t said;  //  steady
    event_type_t end;
    struct json_object *result;
    char code [JOB_CODE_SIZE], message [JOB_MESSAGE_SIZE];
};

//  Null and why: the assignment lacks something, or is of no capability of ours.
collector_job_t *job_new (job_runner_t *runner, struct json_object *assigned,
                          const collector_capability_t *capabilities, time_us_t now, reason_t *why);
//  Neither says anything nor stops its work.
void job_destroy (collector_job_t **self_p);

//  An array of {job_id, attempt}: this one and those after it in its list; self may be null.
void jobs_name (const collector_job_t *self, json_writer_t *json);

//  Says how it ended, for the first time or again.
void job_say_end (collector_job_t *self);

//  job_runner.c: for job.c. The job has said its end; its unit is let go.
void job_runner_note_end (job_runner_t *self, collector_job_t *job);
const job_runner_parts_t *job_runner_parts (const job_runner_t *self);

#endif
