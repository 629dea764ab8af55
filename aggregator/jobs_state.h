// jobs_state.h - the inside of the set of jobs, for jobs*.c alone.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_JOBS_STATE_H
#define AGGREGATOR_JOBS_STATE_H

#include "heap.h"
#include "jobs.h"

#include <czmq.h>
#include <string.h>

#define JOB_KINDS_OF_END 3

typedef struct entry {
    job_t job;  //  first: a job that was handed out is found again by it
    queued_t queued;
    struct entry *older, *newer;                //  by creation
    struct entry *ended_next, *ended_previous;  //  by end
    bool is_recent;
    //  Steady; INT64_MAX: never. due is the first of them.
    size_t due_place;
    time_us_t due, expires, wakes, tells;
    time_us_t waits_since;
    unsigned returned;  //  so often in a row it was given back before it was begun
    //  What was reported and not told yet (J6).
    bool is_untold;
    double next_progress;
    char *next_step, *next_message;
} job_entry_t;

typedef struct recent {
    job_entry_t *entries [JOBS_RECENT];  //  a ring; null: nobody
    size_t next;
} job_recent_t;

struct jobs {
    const jobs_rules_t *rules;
    jobs_listener_t listener;
    zhashx_t *by_id;     //  owns them
    zhashx_t *by_key;    //  of the client
    zhashx_t *built_in;  //  the last of a type and a worker
    job_entry_t *newest, *oldest;
    job_entry_t *ended_first, *ended_last;
    job_recent_t recent [JOB_KINDS_OF_END];
    size_t counts [JOB_STATUS_COUNT];
    job_queue_t *queue;
    heap_t deadlines;
    size_t payload_bytes;  //  of those that are open
    int64_t order;         //  the count of submissions and ends
};

static inline job_entry_t *
job_entry (const job_t *job)
{
    return (job_entry_t *) (uintptr_t) job;
}

static inline size_t
job_payload_bytes (const job_t *job)
{
    return job->payload ? strlen (job->payload) : 0;
}

//  jobs.c: it is over, and takes its place among those that are.
void jobs_keep_ended (jobs_t *self, job_entry_t *entry);
//  jobs_life.c: where one that is new or restored waits, and until when.
void jobs_begin (jobs_t *self, job_entry_t *entry, moment_t now);

#endif
