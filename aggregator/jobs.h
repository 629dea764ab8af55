// jobs.h - all jobs: what was asked for, who has it, what came of it.
//
// Pure but for the random ids: times come in, and who listens hears of each transition as it
// happens. The set knows nothing of runners but their names, of workers but their ids; who takes
// which job is runners.h's, how the world is told is broker.h's.
//
// J1 at most one job of a built-in type is open for a worker
// J2 at most jobs_max are open, with payloads of at most jobs_bytes_max together
// J3 a job changes by common/job.h's transitions only, and each is heard of exactly once
// J4 at most JOB_ATTEMPTS_MAX attempts at a step; then it fails
// J5 of what waits, the higher priority goes first, then the older
// J6 progress is heard at most once in job_progress_ms, the last word wins, and none after the end
// J7 what is over stays as it is, until it is forgotten, the one that ended first first
// J8 what is given back before it was begun has waited on meanwhile, and rests twice as long each time
//    after JOB_RETURNS_QUICK in a row
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_JOBS_H
#define AGGREGATOR_JOBS_H

#include "../common/event.h"
#include "../common/job.h"
#include "job_queue.h"
#include "job_types.h"
#include "worker.h"

#define JOB_ATTEMPTS_MAX      3
#define JOB_RETURNS_QUICK     4  //  a lease that moves settles within a few seconds
#define JOB_REST_DOUBLED_MOST 6
#define JOBS_RECENT           100  //  of each kind of end, in the state

typedef struct jobs jobs_t;

typedef struct jobs_rules {
    int64_t jobs_max, jobs_bytes_max, jobs_keep, jobs_keep_hours, job_pending_minutes,
        job_progress_ms, refresh_min_seconds;
    bool is_stored;  //  what is over and not of the state keeps its payload and result elsewhere;
                     //  not stored, it is forgotten
} jobs_rules_t;

//  What happened to a job, which stands in it as it is now.
typedef struct job_change {
    event_type_t event;
    job_status_t old_status;
    const char *reason;     //  of job.status.updated
    const char *runner_id;  //  who had it; null: nobody
} job_change_t;

typedef struct jobs_listener {
    void (*changed) (void *argument, const job_t *job, const job_change_t *change);
    void (*forgotten) (void *argument, const job_t *job);
    job_owner_fn *owner;
    void *argument;
} jobs_listener_t;

//  rules is borrowed and stays.
jobs_t *jobs_new (const jobs_rules_t *rules, const jobs_listener_t *listener);
void jobs_destroy (jobs_t **self_p);
//  Those of a store, in any order; what the array holds is taken over. Nobody hears of it.
void jobs_restore (jobs_t *self, job_t *jobs, size_t count, moment_t now);

//  --- asking for one

typedef struct job_order {
    const char *type, *client_key, *workflow_id, *payload, *by;  //  all but type and by may be null
    const worker_t *worker;                                      //  null: of none
    int64_t priority, timeout_seconds;                           //  INTEGER_UNKNOWN: the type's
} job_order_t;

typedef enum job_verdict {
    JOB_IS_NEW,
    JOB_IS_KNOWN,     //  one with this client_key was asked for before
    JOB_IS_OPEN,      //  such a job is open for this worker (J1)
    JOB_NOT_RUNNING,  //  the type's gate is shut
    JOB_TOO_SOON,     //  after the last refresh
    JOB_TOO_MANY,     //  J2
    JOB_TOO_LARGE,    //  likewise
    JOB_VERDICT_COUNT
} job_verdict_t;

//  *job is the new, the known or the open one, else null. A built-in type wants a worker.
job_verdict_t jobs_submit (jobs_t *self, const job_order_t *order, moment_t now, const job_t **job);
//  Whole seconds until such a job is not too soon.
int64_t jobs_wait_seconds (const jobs_t *self, const job_order_t *order, moment_t now);

//  --- looking

const job_t *jobs_find (const jobs_t *self, const char *id);
//  The open one of a built-in type; null: none.
const job_t *jobs_open_of (const jobs_t *self, const char *type, const char *worker_id);
//  All, the newest first.
const job_t *jobs_newest (const jobs_t *self);
const job_t *jobs_older (const job_t *job);
//  It belongs to the state: open, or one of the last JOBS_RECENT of its kind of end. What does not
//  has no payload nor result here when it is stored.
bool jobs_is_of_state (const job_t *job);
size_t jobs_count (const jobs_t *self, job_status_t status);
size_t jobs_open (const jobs_t *self);

job_queue_t *jobs_queue (jobs_t *self);

//  --- what happens to one. Each asserts that it may.

void jobs_assign (jobs_t *self, const job_t *job, const char *runner_id, moment_t now);
void jobs_start (jobs_t *self, const job_t *job, moment_t now);
//  step and message null: as they were; progress UNKNOWN likewise.
void jobs_progress (jobs_t *self, const job_t *job, double progress, const char *step,
                    const char *message, moment_t now);
//  The step is done; the next (null: none, it is complete) waits. result (an object, or null) is
//  added to what the job brings. Also of one that waits, whose step is to be skipped.
void jobs_step_done (jobs_t *self, const job_t *job, const char *result, const job_step_t *next,
                     moment_t now);
void jobs_complete (jobs_t *self, const job_t *job, const char *result, moment_t now);
void jobs_fail (jobs_t *self, const job_t *job, const char *code, const char *message,
                moment_t now);
//  Back to those who wait, after delay_us or what J8 makes of it; or it fails with code, after the last attempt.
typedef enum job_release {
    JOB_LOST,
    JOB_GIVEN_BACK
} job_release_t;  //  counts as an attempt, or not
void jobs_release (jobs_t *self, const job_t *job, job_release_t how, const char *reason,
                   time_us_t delay_us, moment_t now);
void jobs_cancel (jobs_t *self, const job_t *job, const char *by, const char *reason, moment_t now);

//  Its runner did not name it; or, TIME_UNKNOWN, it did. Counts as lost when that time comes.
void jobs_doubt (jobs_t *self, const job_t *job, time_us_t lost_at);

//  --- time

time_us_t jobs_due_at (const jobs_t *self);  //  steady; INT64_MAX: nothing is
void jobs_do_due (jobs_t *self, moment_t now);
//  Forgets what has been kept long enough.
void jobs_trim (jobs_t *self, moment_t now);

#endif
