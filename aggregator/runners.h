// runners.h - who runs jobs: what each can do, what it has, and who of them waits for work.
//
// A runner is whoever asks: a collector, or a program of somebody else. It is known by its name from
// its first question until it leaves or has been silent for too long. What it may take it says
// itself: jobs of its types, with its workers or regions only when it names any. Of built-in types
// it gets what it owns by lease, whatever it says (job_queue.h). Pure: times come in.
//
// R1 a job is held by at most one runner, and by the one its record names
// R2 a runner holds at most its concurrency
// R3 of those that wait, who has waited longest takes first, one job a round
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_RUNNERS_H
#define AGGREGATOR_RUNNERS_H

#include "../common/reason.h"
#include "heap.h"
#include "job_types.h"
#include "jobs.h"

#include <czmq.h>

#define RUNNER_TYPES_MAX       64
#define RUNNER_SCOPES_MAX      1000
#define RUNNER_CONCURRENCY_MAX 1000

typedef struct runners runners_t;

typedef struct runner_scope {
    char pool;  //  of job_queue.h
    char name [JOB_NAME_SIZE];
} runner_scope_t;

typedef struct runner {
    char id [JOB_RUNNER_MAX + 1];
    char (*types) [JOB_CAPABILITY_SIZE];
    runner_scope_t *scopes;  //  none: anything
    size_t types_count, scopes_count;
    size_t concurrency;
    bool is_leaving;
    bool is_served;     //  there is nothing more for it, in this handing out
    time_us_t heard;    //  steady
    zhashx_t *held;     //  const job_t by id
    zlistx_t *given;    //  those of them that the answer to come names
    zlistx_t *stopped;  //  ids of jobs that are not its any more, likewise
    //  Its question, while it waits: whose answer comes at `until` at the latest.
    void *question;
    time_us_t until;
    size_t until_place;
    struct runner *next, *previous;  //  of those that wait, the longest first
} runner_t;

//  What a question says of the one who asks: arrays of texts, null: none.
typedef struct runner_offer {
    struct json_object *types, *workers, *regions;
    int64_t concurrency;
} runner_offer_t;

runners_t *runners_new (size_t runners_max);
void runners_destroy (runners_t **self_p);  //  no question may wait

//  0, or -EINVAL and why: too many, too long, not texts.
int runners_check (const runner_offer_t *offer, reason_t *why);
//  It was heard, and offers this from now on (null: as before). Null at runners_max.
runner_t *runners_hear (runners_t *self, const char *id, const runner_offer_t *offer,
                        time_us_t steady);
runner_t *runners_find (const runners_t *self, const char *id);
//  It is gone; it holds nothing and no question of its waits.
void runners_remove (runners_t *self, runner_t *runner);
//  One that was not heard since; null: none.
runner_t *runners_silent (const runners_t *self, time_us_t since);

size_t runners_count (const runners_t *self);
runner_t *runners_first (const runners_t *self);
runner_t *runners_next (const runners_t *self);

void runner_hold (runner_t *self, const job_t *job);
void runner_drop (runner_t *self, const job_t *job);
bool runner_has_room (const runner_t *self);
//  The first job that it may take; null: none.
const job_t *runner_choose (const runner_t *self, const job_queue_t *queue);

//  --- those that wait

void runners_park (runners_t *self, runner_t *runner, void *question, time_us_t until);
void *runners_unpark (runners_t *self, runner_t *runner);  //  its question
runner_t *runners_waiting (const runners_t *self);         //  the longest; then ->next
time_us_t runners_due_at (const runners_t *self);          //  INT64_MAX: none waits

//  The data of system.stats: at most 100.
void runners_write (const runners_t *self, json_writer_t *json);

#endif
