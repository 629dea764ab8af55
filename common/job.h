// job.h - a job's record: its states, which may follow which, and its JSON.
//
//     pending ─► assigned ─► in_progress ─► completed
//        ▲          │             │    └──► failed       cancelled from each that is not over
//        └──────────┴─────────────┘
//
// One struct, one writer: what is told (job.submitted), answered, stored and shown of a job as it
// stands is job_write's. Members that nobody knows are null. Who may change a record, and when, is
// the aggregator's (jobs.h).
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_JOB_H
#define COMMON_JOB_H

#include "json.h"
#include "worker_id.h"

#include <stdbool.h>
#include <stdint.h>

#define JOB_ID_SIZE          37  //  36 characters and NUL
#define JOB_TYPE_SIZE        65
#define JOB_NAME_SIZE        64   //  of a region, of an instance id
#define JOB_TEXT_MAX         128  //  bytes: who asked, the workflow, the client's key, a reason
#define JOB_RUNNER_MAX       200
#define JOB_PAYLOAD_MAX      ((size_t) 16 * 1024)  //  likewise a result
#define JOB_PRIORITY_LEAST   (-1000)
#define JOB_PRIORITY_MOST    1000
#define JOB_PRIORITY_DEFAULT 5
#define JOB_TIMEOUT_MOST     86400  //  seconds

typedef enum job_status {
    JOB_PENDING,
    JOB_ASSIGNED,
    JOB_IN_PROGRESS,
    JOB_COMPLETED,
    JOB_FAILED,
    JOB_CANCELLED,
    JOB_STATUS_COUNT
} job_status_t;

const char *job_status_name (job_status_t status);
//  JOB_STATUS_COUNT when no status has this name.
job_status_t job_status_parse (const char *name);
bool job_status_is_over (job_status_t status);
//  Somebody has it: assigned, in_progress.
bool job_status_is_active (job_status_t status);
bool job_status_may_follow (job_status_t from, job_status_t to);

//  1 to 64 of a-z 0-9 . _ -
bool job_type_is_valid (const char *type);

//  Texts are owned, null: unknown. payload and result are JSON objects on one line.
typedef struct job {
    char id [JOB_ID_SIZE];
    char type [JOB_TYPE_SIZE];
    job_status_t status;
    int priority;
    char worker_id [WORKER_ID_SIZE];  //  "": of no worker; so are the next two
    char region [JOB_NAME_SIZE], instance_id [JOB_NAME_SIZE];
    char *workflow_id, *client_key, *payload, *submitted_by;
    double progress;
    char *step, *message;
    time_us_t created_at, assigned_at, started_at, completed_at, failed_at, cancelled_at;  //  wall
    char *error, *error_code, *result, *cancelled_by, *runner_id;
    int64_t attempts;  //  at the present step
    int64_t attempt;   //  the number of the last assignment: grows with each
    int64_t timeout_seconds;
    //  Which came first: numbers of its submission and of its end, from one count (0: not yet).
    int64_t order, end_order;
    char *gathered;  //  what steps that are done brought, an object; it becomes the result
} job_t;

//  Of a new one all is unknown but the times and texts; id is given.
void job_init (job_t *self);
void job_clear (job_t *self);

//  Frees what was there; a copy of text, or null.
void job_set_text (char **place, const char *text);

time_us_t job_ended_at (const job_t *self);  //  TIME_UNKNOWN: it is not over

//  The members of the record, into the caller's open object.
void job_write (json_writer_t *json, const job_t *self);
//  The record and what only its keeper knows of it, as an object; and back. -EINVAL and why.
void job_save (buffer_t *out, const job_t *self);
int job_restore (job_t *self, struct json_object *row, reason_t *why);

#endif
